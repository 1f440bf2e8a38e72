/// A request, encoded but for its body: made once and sent as often as wanted, with another body each time.
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

    /// The message as sent to `origin`.
    func encoded(for origin: Origin) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128 + fieldLines.count + body.count)
        bytes.append(contentsOf: method.rawValue.utf8)
        bytes.append(UInt8(ascii: " "))
        bytes.append(contentsOf: origin.pathPrefix.utf8)
        bytes.append(contentsOf: path.utf8)
        bytes.append(contentsOf: " HTTP/1.1\r\nHost: ".utf8)
        bytes.append(contentsOf: origin.authority.utf8)
        bytes.append(contentsOf: "\r\n".utf8)
        bytes.append(contentsOf: fieldLines)
        // RFC 9110 section 8.6: a method that is expected to have a body says so even when it is empty.
        if method == .post || method == .put || !body.isEmpty {
            bytes.append(contentsOf: "Content-Length: \(body.count)\r\n".utf8)
        }
        bytes.append(contentsOf: "\r\n".utf8)
        bytes.append(contentsOf: body)
        return bytes
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
