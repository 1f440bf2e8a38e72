import HTTPCore

/// A request as its fields are given; ``HTTPClient/template(of:)`` makes of it what can be sent many times.
package struct ClientRequest: Sendable, CustomStringConvertible {
    /// The methods an upstream is asked with.
    package enum Method: String, Sendable { case get = "GET", post = "POST", put = "PUT", delete = "DELETE" }

    /// Goes into the request line as it is.
    package let method: Method
    /// Path and query, put behind the origin's prefix.
    package let path: String
    /// Sent with Content-Length.
    package var body: [UInt8]
    private let fieldLines: [UInt8]

    /// - Parameters:
    ///   - path: begins with `/`; already percent-encoded.
    ///   - fields: names and values. Host, Content-Length and whatever else frames the message is ours and refused here.
    /// - Throws: what must not stand in a message head, naming the field but never its value.
    package init(
        _ method: Method, _ path: String, fields: [(name: String, value: String)] = [], body: [UInt8] = []
    ) throws(ClientConfigurationError) {
        guard path.first == "/", path.utf8.allSatisfy({ Origin.isURLByte($0) && $0 != UInt8(ascii: "#") }) else {
            throw ClientConfigurationError("request path is not valid")
        }
        var lines: [UInt8] = []
        for (name, value) in fields {
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isTokenByte) else {
                throw ClientConfigurationError("a field name is not a token")
            }
            guard !Self.reserved.contains(name.lowercased()) else {
                throw ClientConfigurationError("field \(name) is set by the client itself")
            }
            // RFC 9110 section 5.5: anything else could end the line and forge another.
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) else {
                throw ClientConfigurationError("the value of field \(name) holds a control character")
            }
            lines.append(contentsOf: "\(name): \(value)\r\n".utf8)
        }
        self.method = method
        self.path = path
        self.body = body
        fieldLines = lines
    }

    /// Without the fields: one of them is usually a key.
    package var description: String { "\(method.rawValue) \(path), \(body.count) bytes" }

    /// The head as sent to `origin`, but for what says how long the body is.
    func head(for origin: Origin) -> RequestTemplate {
        let line = "\(method.rawValue) \(origin.pathPrefix)\(path) HTTP/1.1\r\nHost: \(origin.authority)\r\n"
        // RFC 9110 section 8.6: a method that is expected to have a body says so even when it is empty.
        return RequestTemplate(head: Array(line.utf8) + fieldLines, expectsBody: method == .post || method == .put)
    }

    private static let reserved: Set = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "expect", "upgrade", "te", "trailer",
        "proxy-connection",
    ]

    /// RFC 9110 section 5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10 || (byte | 0x20) &- UInt8(ascii: "a") < 26 || "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}

/// A request encoded for one origin but for its body: made once and sent as often as wanted, with another body each time.
package struct RequestTemplate: Sendable, CustomStringConvertible {
    private static let length = Array("Content-Length: ".utf8)
    private static let end = Array("\r\n\r\n".utf8)

    private let head: [UInt8]
    private let expectsBody: Bool

    fileprivate init(head: [UInt8], expectsBody: Bool) {
        self.head = head
        self.expectsBody = expectsBody
    }

    /// Without the fields: one of them is usually a key.
    package var description: String { "a request's head of \(head.count) bytes" }

    /// The message with this body.
    func encoded(_ body: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(head.count + 48 + body.count)
        bytes += head
        if expectsBody || !body.isEmpty {
            bytes += Self.length
            ResponseEncoder.write(decimal: body.count) { bytes.append(contentsOf: $0) }
            bytes += Self.end
        } else {
            bytes += Self.end.suffix(2)
        }
        bytes += body
        return bytes
    }
}
