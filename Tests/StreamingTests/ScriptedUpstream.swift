import EventLoop
import HTTPClient
import PlaygroundCore

@testable import Streaming

/// An upstream without a network: it does to a relay what its script says, step by step on the loop.
final class ScriptedUpstream: UpstreamTransport {
    typealias Step = (CompletionRelay, ScriptedExchange) -> Void

    let exchange = ScriptedExchange()
    private(set) var requestBody: [UInt8] = []
    private let io: LoopIO
    private var steps: [(after: Duration, step: Step)] = []
    private var timer: LoopTimer?

    init(io: LoopIO) { self.io = io }

    /// The next step, so much later than the one before it.
    func after(_ duration: Duration, _ step: @escaping Step) { steps.append((duration, step)) }

    func send(_ body: [UInt8], to relay: CompletionRelay) -> any UpstreamExchange {
        requestBody = body
        steps.reverse()
        next(relay)
        return exchange
    }

    private func next(_ relay: CompletionRelay) {
        guard let (duration, step) = steps.popLast() else {
            timer = nil
            return
        }
        let timer = LoopTimer { [self] in
            step(relay, exchange)
            next(relay)
        }
        self.timer = timer
        io.schedule(timer, after: duration)
    }
}

final class ScriptedExchange: UpstreamExchange {
    private(set) var calls: [String] = []
    var onResume: () -> Void = {}

    func pause() { calls.append("pause") }
    func resume() {
        calls.append("resume")
        onResume()
    }
    func cancel() { calls.append("cancel") }
}

/// A client's connection that notes what it is sent, and when.
final class RecordingSink: ByteSink {
    struct Write: Sendable {
        let text: String
        let isLast: Bool
        /// In milliseconds since the sink was made.
        let at: Int64
    }

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
        answered(UpstreamAnswer(status: status, contentType: contentType, retryAfter: retryAfter))
    }

    /// One wake-up that brings `body`.
    func wakeUp(_ body: String) {
        give(body)
        readEnded()
    }

    func give(_ body: String) { Array(body.utf8).withUnsafeBufferPointer { bodyReceived($0) } }
}
