import HTTPCore
import HTTPTypes

/// A server connection without I/O, made of the parser and the decoder: bytes in, a verdict out.
struct ScriptedConnection {
    /// What became of a stream.
    struct Verdict: Equatable, CustomStringConvertible {
        /// Requests that were received whole, body included.
        var requests = 0
        /// The status of the refusal that ended the connection.
        var refusal: Int?
        /// Whether the last request was the connection's last by its own wish.
        var closed = false
        /// Bytes of bodies.
        var bodyBytes = 0

        var description: String { "\(requests) requests, refusal \(refusal.map(String.init) ?? "none"), closed \(closed)" }
    }

    private enum Phase {
        case head
        case length(Int)
        case chunked(ChunkedDecoder)
        case closed
    }

    /// The largest body, as a JSON route has it.
    static let bodyLimit = 256 * 1024

    private(set) var verdict = Verdict()
    private(set) var error: HTTPParseError?
    private(set) var heads: [RequestHead] = []
    private var parser: RequestParser
    private var phase = Phase.head
    private var buffer: [UInt8] = []
    private var keepAlive = true

    init(limits: ParserLimits = ParserLimits()) { parser = RequestParser(limits: limits) }

    mutating func receive(_ bytes: some Collection<UInt8>) {
        if case .closed = phase { return }
        buffer.append(contentsOf: bytes)
        var goesOn = true
        while goesOn { goesOn = step() }
    }

    /// The client shut its side down: an unfinished request is refused.
    mutating func receiveEnd() {
        switch phase {
        case .closed: break
        case .head where !parser.isMidRequest: phase = .closed
        default: refuse(.truncated)
        }
    }

    private mutating func step() -> Bool {
        switch phase {
        case .closed:
            return false
        case .head:
            return stepHead()
        case .length(let remaining):
            let count = min(remaining, buffer.count)
            buffer.removeFirst(count)
            verdict.bodyBytes += count
            phase = .length(remaining - count)
            guard remaining == count else { return false }
            endRequest()
            return true
        case .chunked(var decoder):
            var received = 0
            let progress = buffer.withUnsafeBufferPointer { bytes in
                decoder.decode(bytes) { piece in
                    received += piece.count
                    return true
                }
            }
            verdict.bodyBytes += received
            switch progress {
            case .needMore, .stopped:
                buffer.removeAll()
                phase = .chunked(decoder)
                return false
            case .complete(let consumed):
                buffer.removeFirst(consumed)
                endRequest()
                return true
            case .failed(let error):
                refuse(error)
                return false
            }
        }
    }

    private mutating func stepHead() -> Bool {
        do throws(HTTPParseError) {
            let received = buffer
            guard let head = try parser.parse(received.span) else { return false }
            heads.append(head)
            // As a router reads them; text that is not UTF-8 is the router's to refuse.
            _ = try? head.target.pathSegments(in: received.span)
            _ = try? head.target.queryItems(in: received.span)
            keepAlive = head.keepAlive
            buffer.removeFirst(head.length)
            parser.reset()
            switch head.framing {
            case .none: phase = .length(0)
            case .chunked: phase = .chunked(ChunkedDecoder())
            case .length(let length) where length > Self.bodyLimit:
                verdict.refusal = 413
                phase = .closed
            case .length(let length): phase = .length(length)
            }
            return true
        } catch {
            refuse(error)
            return false
        }
    }

    private mutating func endRequest() {
        verdict.requests += 1
        verdict.closed = !keepAlive
        phase = keepAlive ? .head : .closed
    }

    private mutating func refuse(_ error: HTTPParseError) {
        self.error = error
        verdict.refusal = error.status.code
        phase = .closed
    }
}

/// How a stream is cut into pieces.
enum Delivery: String, CaseIterable, Sendable {
    case whole, bytes, lines

    func pieces(of stream: [UInt8]) -> [ArraySlice<UInt8>] {
        switch self {
        case .whole: return [stream[...]]
        case .bytes: return stream.indices.map { stream[$0...$0] }
        case .lines:
            var pieces: [ArraySlice<UInt8>] = []
            var start = 0
            for index in stream.indices where stream[index] == 0x0d || stream[index] == 0x0a || index == stream.count - 1 {
                pieces.append(stream[start...index])
                start = index + 1
            }
            return pieces
        }
    }
}

extension ScriptedConnection {
    /// The connection after `stream`, cut as `delivery` says.
    static func after(
        _ stream: [UInt8], _ delivery: Delivery = .whole, limits: ParserLimits = ParserLimits(), end: Bool = false
    ) -> ScriptedConnection {
        var connection = ScriptedConnection(limits: limits)
        for piece in delivery.pieces(of: stream) { connection.receive(piece) }
        if end { connection.receiveEnd() }
        return connection
    }
}
