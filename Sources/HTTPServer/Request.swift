package import HTTPCore
package import HTTPTypes

/// One request as a handler sees it: the head as ranges over the bytes that came, the body on demand.
package final class Request {
    /// What the header section says, as ranges over `bytes`.
    package let head: RequestHead
    /// The bytes `head` ranges over.
    package let bytes: [UInt8]
    /// Fields that the answer carries whatever it turns out to be, a refusal or a stream included.
    package var responseFields = ResponseFields()
    private unowned let connection: Connection

    init(head: RequestHead, bytes: [UInt8], connection: Connection) {
        self.head = head
        self.bytes = bytes
        self.connection = connection
    }

    /// A field's value; the first when it is repeated.
    package func value(of name: HTTPField.Name) -> String? {
        bytes.withUnsafeBufferPointer { head.value(of: name, in: $0.span) }
    }

    /// Every value of a field, in order.
    package func values(of name: HTTPField.Name) -> [String] {
        bytes.withUnsafeBufferPointer { head.values(of: name, in: $0.span) }
    }

    /// Whether a body is announced, be it empty.
    package var hasBody: Bool {
        switch head.framing {
        case .none: false
        case .length(let length): length > 0
        case .chunked: true
        }
    }

    /// The address of the peer this connection was accepted from, without port.
    package var peerAddress: String { connection.peerAddress }

    /// The same as ``body(limit:)`` where all of the body has come already; nil where it has not.
    package func arrivedBody(limit: Int) throws(BodyError) -> [UInt8]? { try connection.arrivedBody(limit: limit) }

    /// Reads the whole body; empty when none is announced. The 100 (Continue) that a client waits for is sent here,
    /// so that a refused request never gets one.
    /// - Parameter limit: in bytes. A larger body is refused as soon as that is known.
    /// - Throws: ``BodyError``.
    package func body(limit: Int) async throws(BodyError) -> [UInt8] { try await connection.readBody(limit: limit) }

    /// Prepares a streamed answer. Nothing is sent before its first write, so until then any other answer is possible.
    package func openStream(status: HTTPResponse.Status, fields: ResponseFields) -> ResponseStream {
        connection.openStream(for: self, status: status, fields: fields)
    }
}

/// Why a body could not be had.
package enum BodyError: Error {
    /// More bytes than the route takes.
    case tooLarge
    /// It came too slowly.
    case timedOut
    /// The chunked coding was broken.
    case malformed(HTTPParseError)
    /// The client closed its side before the body's end.
    case incomplete
}
