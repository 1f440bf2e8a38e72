import EventLoop
import HTTPClient
import PlaygroundCore

@testable import Streaming

/// An upstream without a network: it does to a relay what its script says, step by step on the loop. Every attempt has a
/// script of its own; where there are more attempts than scripts, the last one is repeated.
final class ScriptedUpstream: UpstreamTransport {
    typealias Step = (CompletionRelay, ScriptedExchange) -> Void

    private(set) var exchanges: [ScriptedExchange] = []
    /// Whether its exchanges have a connection.
    var connects = true
    /// When each request came, in milliseconds since the start.
    private(set) var askedAt: [Int64] = []
    private let io: LoopIO
    private let start: Int64
    private var scripts: [[(after: Duration, step: Step)]] = [[]]

    init(io: LoopIO) {
        self.io = io
        start = io.now
    }

    /// What was done to its exchanges, those of all attempts in their order.
    var calls: [String] { exchanges.flatMap(\.calls) }

    /// The next step of an attempt, so much later than the one before it.
    func after(_ duration: Duration, _ step: @escaping Step) { scripts[scripts.count - 1].append((duration, step)) }

    /// What follows is for the next attempt.
    func again() { scripts.append([]) }

    func send(_ body: [UInt8], to relay: CompletionRelay) -> any UpstreamExchange {
        let exchange = ScriptedExchange()
        exchange.isConnected = connects
        let script = scripts[min(exchanges.count, scripts.count - 1)]
        exchanges.append(exchange)
        askedAt.append(io.now - start)
        run(script[...], relay, exchange)
        return exchange
    }

    private func run(_ script: ArraySlice<(after: Duration, step: Step)>, _ relay: CompletionRelay, _ exchange: ScriptedExchange)
    {
        guard let (duration, step) = script.first else { return }
        let timer = LoopTimer { [self] in
            if exchange.isCancelled { return }
            step(relay, exchange)
            run(script.dropFirst(), relay, exchange)
        }
        exchange.timer = timer
        io.schedule(timer, after: duration)
    }
}

final class ScriptedExchange: UpstreamExchange {
    private(set) var calls: [String] = []
    fileprivate var timer: LoopTimer?
    var onResume: () -> Void = {}
    var isConnected = true
    var isCancelled: Bool { calls.contains("cancel") }

    func pause() { calls.append("pause") }
    func resume() {
        calls.append("resume")
        onResume()
    }
    func cancel() { calls.append("cancel") }
    func willTouch(_ trail: Trail) {}
}

/// A client's connection that notes what it is sent, and when.
final class RecordingSink: ByteSink {
    struct Write: Sendable {
        let text: String
        let isLast: Bool
        /// In milliseconds since the sink was made.
        let at: Int64
    }

    func lay(_ trail: inout Trail) {}

    private(set) var writes: [Write] = []
    var isFull = false
    var isClosed = false
    var source: (any ByteSource)?
    /// What happens in the midst of a write.
    var onWrite: (RecordingSink) -> Void = { _ in }
    private let io: LoopIO
    private let start: Int64

    init(io: LoopIO) {
        self.io = io
        start = io.now
    }

    func write(_ buffer: UnsafeMutablePointer<OutputBuffer>, last: Bool) {
        writes.append(Write(text: String(decoding: buffer.pointee.bytes, as: UTF8.self), isLast: last, at: io.now - start))
        buffer.pointee.removeAll()
        onWrite(self)
    }

    func close() {
        isClosed = true
        source?.sinkClosed()
    }
}

extension CompletionRelay {
    func head(_ status: Int = 200, _ contentType: String? = "text/event-stream", retryAfter: String? = nil) {
        answered(UpstreamAnswer(status: status, contentType: contentType, retryAfter: retryAfter, unixSeconds: 0))
    }

    /// One wake-up that brings `body`.
    func wakeUp(_ body: String) {
        give(body)
        readEnded()
    }

    func give(_ body: String) { Array(body.utf8).withUnsafeBufferPointer { bodyReceived($0) } }
}
