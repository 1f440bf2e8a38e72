package import HTTPTypes

/// The head of a response that we received: what it says, as ranges over the bytes it was parsed from.
package struct ResponseHead: Sendable, Equatable {
    /// How the body is delimited (RFC 9112 6.3).
    package enum Framing: Sendable, Equatable {
        /// There is no body: an answer to HEAD, a 1xx, 204 or 304.
        case none
        /// Exactly this many bytes.
        case length(Int)
        /// The chunked coding.
        case chunked
        /// Until the connection closes; a cut one cannot be told from a whole one.
        case untilClose
    }

    /// 100 to 599. A 1xx head is followed by another head.
    package var status: Int
    /// HTTP/1.0 or HTTP/1.1.
    package var version: HTTPVersion
    /// All field lines.
    package var fields: FieldList
    /// Judged with the status and the request's method in mind.
    package var framing: Framing
    /// Whether the connection can take another request once the body has ended.
    package var keepAlive: Bool
    /// Bytes used: the body, or the next head after a 1xx, begins at this offset.
    package var length: Int
}

extension ResponseHead {
    /// The first value of `name`; nil where the field is absent. `bytes` are those the head was parsed from.
    package func value(of name: HTTPField.Name, in bytes: Span<UInt8>) -> String? { fields.value(of: name, in: bytes) }

    /// All values of `name` in order.
    package func values(of name: HTTPField.Name, in bytes: Span<UInt8>) -> [String] { fields.values(of: name, in: bytes) }
}
