import HTTPCore

/// Turns the bytes of a connection into one answer: head, body without its framing, end. Pure: no I/O, no clock.
struct ResponseDecoder: ~Copyable {
    enum Outcome: Equatable {
        case needMore
        /// - excess: bytes follow that belong to no request of ours.
        case complete(excess: Bool)
        /// The receiver wanted no more.
        case stopped
        case failed(ClientError.Reason)
    }

    private enum Phase { case head, length, chunked, untilClose, ended }

    /// Interim answers before the final one. Servers send one or two.
    static let interimLimit = 16

    private var phase = Phase.head
    private var chunks = ChunkedDecoder()
    /// Replaced by a new one after each head: a quiet stream holds no room for fields.
    private var parser = ResponseHeadParser()
    /// The beginning of a head that came in pieces.
    private var headBytes: [UInt8] = []
    private var interimCount = 0
    private var remaining = 0
    /// Whether the connection may be used again after this answer.
    private(set) var keepAlive = false

    /// Decodes the bytes that follow those of the call before.
    /// - Parameters:
    ///   - head: gets the final head; false stops.
    ///   - body: gets the body in pieces, none empty, each valid during its call; false stops.
    mutating func decode(
        _ bytes: UnsafeBufferPointer<UInt8>, head: (ClientResponse) -> Bool, body: (UnsafeBufferPointer<UInt8>) -> Bool
    ) -> Outcome {
        switch phase {
        case .chunked:
            switch chunks.decode(bytes, body: body) {
            case .needMore: return .needMore
            case .complete(let consumed):
                phase = .ended
                return .complete(excess: consumed < bytes.count)
            case .stopped: return .stopped
            case .failed(let error): return .failed(.malformed(error.detail))
            }
        case .length:
            let count = min(remaining, bytes.count)
            remaining -= count
            guard count == 0 || body(UnsafeBufferPointer(rebasing: bytes[..<count])) else { return .stopped }
            if remaining > 0 { return .needMore }
            phase = .ended
            return .complete(excess: count < bytes.count)
        case .untilClose:
            return bytes.isEmpty || body(bytes) ? .needMore : .stopped
        case .head:
            return decodeHead(bytes, head: head, body: body)
        case .ended:
            return .complete(excess: !bytes.isEmpty)
        }
    }

    /// The connection has ended. Whether that ends the answer as well.
    var endsWithConnection: Bool { phase == .untilClose }

    private mutating func decodeHead(
        _ bytes: UnsafeBufferPointer<UInt8>, head: (ClientResponse) -> Bool, body: (UnsafeBufferPointer<UInt8>) -> Bool
    ) -> Outcome {
        var rest = bytes
        while !rest.isEmpty {
            let found: FoundHead?
            do throws(HTTPParseError) {
                found = try parseHead(rest)
            } catch {
                let isTooLarge = error == .headerSectionTooLarge || error == .tooManyFields
                return .failed(isTooLarge ? .headTooLarge : .malformed(error.detail))
            }
            guard let found else { return .needMore }
            headBytes = []
            parser = ResponseHeadParser()
            rest = UnsafeBufferPointer(rebasing: rest[found.used...])
            if found.response.status < 200 {
                // Upgrade was not asked for (RFC 9110 section 15.2.2).
                if found.response.status == 101 { return .failed(.malformed("101 Switching Protocols was not asked for.")) }
                interimCount += 1
                if interimCount > Self.interimLimit { return .failed(.malformed("Too many interim answers.")) }
                continue
            }
            keepAlive = found.keepAlive
            switch found.framing {
            case .none: phase = .ended
            case .length(let length):
                remaining = length
                phase = length == 0 ? .ended : .length
            case .chunked: phase = .chunked
            case .untilClose: phase = .untilClose
            }
            guard head(found.response) else { return .stopped }
            return rest.isEmpty && phase != .ended ? .needMore : decode(rest, head: head, body: body)
        }
        return .needMore
    }

    /// Parses straight from the read buffer where a head came in one piece, as nearly all do.
    private mutating func parseHead(
        _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(HTTPParseError) -> FoundHead? {
        let earlier = headBytes.count
        if earlier == 0, let head = try parser.parse(bytes.span) {
            return FoundHead(ClientResponse(head, bytes: bytes), head.framing, keepAlive: head.keepAlive, used: head.length)
        }
        // The parser fails at the limit, so what is kept cannot exceed it.
        headBytes.append(contentsOf: bytes.prefix(ResponseHeadParser.headLimit - earlier))
        if earlier == 0 { return nil }
        // A local reference: the parser and a span of another field would both claim the whole struct.
        let collected = headBytes
        guard let head = try parser.parse(collected.span) else { return nil }
        let response = collected.withUnsafeBufferPointer { ClientResponse(head, bytes: $0) }
        return FoundHead(response, head.framing, keepAlive: head.keepAlive, used: head.length - earlier)
    }
}

/// A head, and what it says of the body behind it. The parser's own head is not kept, or its fields would have two owners.
private struct FoundHead {
    let response: ClientResponse
    let framing: ResponseHead.Framing
    let keepAlive: Bool
    /// Bytes of it among those in hand.
    let used: Int

    init(_ response: ClientResponse, _ framing: ResponseHead.Framing, keepAlive: Bool, used: Int) {
        self.response = response
        self.framing = framing
        self.keepAlive = keepAlive
        self.used = used
    }
}
