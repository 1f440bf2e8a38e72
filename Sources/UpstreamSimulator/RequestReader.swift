import HTTPCore
import HTTPTypes

/// One whole request as it came.
struct ReceivedRequest {
    let head: RequestHead
    /// The bytes of the head.
    let headBytes: [UInt8]
    let body: [UInt8]

    var path: String { head.target.path.string(in: headBytes.span) }

    func value(of name: HTTPField.Name) -> String? { head.value(of: name, in: headBytes.span) }

    /// The value of a query item; nil where there is none.
    func query(_ name: String) -> String? {
        (try? head.target.queryItems(in: headBytes.span))?.first { $0.name == name }?.value
    }
}

/// Cuts a connection's bytes into requests. Pure: bytes in, requests out.
struct RequestReader {
    enum Event {
        case needMore
        /// The client waits for a 100 before it sends its body; told once a request.
        case expectsContinue
        case request(ReceivedRequest)
    }

    /// The longest body taken, in bytes.
    static let bodyLimit = 16 << 20

    private var parser = RequestParser()
    private var input: [UInt8] = []
    private var head: RequestHead?
    private var headBytes: [UInt8] = []
    private var decoder = ChunkedDecoder()
    private var body: [UInt8] = []
    private var isContinueOwed = false

    /// Takes bytes from the socket.
    mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) { input.append(contentsOf: bytes) }

    /// Whether bytes wait that are no whole request yet.
    var isEmpty: Bool { input.isEmpty && head == nil }

    /// The next thing that the bytes so far amount to. After a throw the connection is of no use any more.
    mutating func next() throws(HTTPParseError) -> Event {
        if head == nil {
            guard let parsed = try parseHead() else { return .needMore }
            headBytes = Array(input[..<parsed.length])
            input.removeFirst(parsed.length)
            isContinueOwed = parsed.expectsContinue
            head = parsed
        }
        guard let head else { return .needMore }
        if isContinueOwed, input.isEmpty {
            isContinueOwed = false
            return .expectsContinue
        }
        guard try readBody(head.framing) else { return .needMore }
        let request = ReceivedRequest(head: head, headBytes: headBytes, body: body)
        self.head = nil
        body = []
        parser.reset()
        return .request(request)
    }

    private mutating func parseHead() throws(HTTPParseError) -> RequestHead? {
        if input.isEmpty { return nil }
        let bytes = input
        return try parser.parse(bytes.span)
    }

    /// Whether the body is complete.
    private mutating func readBody(_ framing: BodyFraming) throws(HTTPParseError) -> Bool {
        switch framing {
        case .none:
            return true
        case .length(let length):
            guard length <= Self.bodyLimit else { throw .chunkSizeInvalid }
            guard input.count >= length else { return false }
            if input.count == length {
                swap(&body, &input)
            } else {
                body = Array(input[..<length])
                input.removeFirst(length)
            }
            return true
        case .chunked:
            var collected = body
            let progress = input.withUnsafeBufferPointer { bytes in
                decoder.decode(bytes) { piece in
                    collected.append(contentsOf: piece)
                    return collected.count <= Self.bodyLimit
                }
            }
            body = collected
            switch progress {
            case .needMore:
                input.removeAll(keepingCapacity: true)
                return false
            case .complete(let consumed):
                input.removeFirst(consumed)
                decoder = ChunkedDecoder()
                return true
            case .stopped: throw .chunkSizeInvalid
            case .failed(let error): throw error
            }
        }
    }
}
