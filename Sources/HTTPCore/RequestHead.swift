package import HTTPTypes

/// A whole request head: what it says, as ranges over the bytes it was parsed from.
package struct RequestHead: Sendable, Equatable {
    /// Any well-formed method but CONNECT and TRACE; whether it is served is the router's business.
    package var method: HTTPRequest.Method
    /// The target, its form judged.
    package var target: RequestTarget
    /// HTTP/1.0 or HTTP/1.1.
    package var version: HTTPVersion
    /// All field lines.
    package var fields: FieldList
    /// The value of Host; nil only in HTTP/1.0.
    package var host: ByteRange?
    /// How the body is delimited.
    package var framing: BodyFraming
    /// Whether the client lets the connection stay open: HTTP/1.1 without `Connection: close`. HTTP/1.0 always closes.
    package var keepAlive: Bool
    /// Whether the client waits for a 100 before it sends its body. Never with HTTP/1.0, never without a body.
    package var expectsContinue: Bool
    /// Bytes used, leading empty lines included: the body begins at this offset.
    package var length: Int
}

extension RequestHead {
    /// The host and port the request is for: the target's where it has one, else Host.
    package var authority: ByteRange? { target.authority ?? host }

    /// The first value of `name`; nil where the field is absent. `bytes` are those the head was parsed from.
    package func value(of name: HTTPField.Name, in bytes: Span<UInt8>) -> String? { fields.value(of: name, in: bytes) }

    /// All values of `name` in order, so that a repeated field can be told.
    package func values(of name: HTTPField.Name, in bytes: Span<UInt8>) -> [String] { fields.values(of: name, in: bytes) }
}
