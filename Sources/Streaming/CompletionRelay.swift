package import EventLoop
package import PlaygroundCore

/// Drives one completion: the upstream's bytes through a ``CompletionStream`` to the client, one write for each wake-up.
///
/// The answer's head is held back until there is output, so that a failure before that is still a status; it is not
/// held for ever (``RelayTiming``). From then on a comment goes out whenever the client has heard nothing for a while. A client
/// that leaves ends the exchange at once. All of it runs in calls on one loop while the handler is suspended.
package final class CompletionRelay {
    /// The longest answer of an upstream that refuses, as far as it is read.
    package static let refusalLimit = 64 * 1024
    /// The longest text that is collected for an answer in one piece, escaped.
    package static let collectedLimit = 4 << 20

    /// So much output does not wait for the end of a wake-up.
    private static let writeLimit = 64 * 1024

    private enum Phase: Equatable {
        case idle, asked, streaming
        /// Nothing was used: the upstream refused, or failed before it gave anything.
        case unused
    }

    /// Names it towards client and bill.
    package let id: CompletionID
    /// Whose it is.
    package let owner: UserID
    /// The login it runs under; nil for a token of another kind.
    package let sessionID: SessionID?
    private let upstream: CompletionUpstream
    private let encodeProblem: (ServiceError) -> [UInt8]
    /// The loop's millisecond at which the answer has to begin.
    private let commitTime: Int64
    // Behind a pointer because accesses through one are not checked for exclusivity, which costs on every event.
    private let stream: UnsafeMutablePointer<CompletionStream>
    /// The loop's scratch, or the text collected so far.
    private var output: UnsafeMutablePointer<OutputBuffer>
    private var requestBody: [UInt8]
    private var exchange: (any UpstreamExchange)?
    private var sink: (any ByteSink)?
    private var timer: LoopTimer?
    private var continuation: UnsafeContinuation<CompletionOutcome.Ending, Never>?
    private var refusal: Refusal?
    private var step = CompletionStream.Step.goesOn
    private var phase = Phase.idle
    private var isCollecting = false
    private var isCommitted = false
    private var isPaused = false

    /// - Parameters:
    ///   - requestedAt: when the request came, by ``LoopIO/now``.
    ///   - encodeProblem: an error as one line of JSON, for a stream that has begun.
    package init(
        id: CompletionID, owner: UserID, sessionID: SessionID?, request: UpstreamRequest, upstream: CompletionUpstream, requestedAt: Int64,
        encodeProblem: @escaping (ServiceError) -> [UInt8]
    ) {
        self.id = id
        self.owner = owner
        self.sessionID = sessionID
        self.upstream = upstream
        self.encodeProblem = encodeProblem
        commitTime = requestedAt + upstream.timing.commitAfter.wholeMilliseconds
        stream = .allocate(capacity: 1)
        stream.initialize(
            to: CompletionStream(
                kind: upstream.description.kind, promptEstimate: request.promptEstimate, maxTokensApplied: request.maxTokens,
                wantsLogprobs: request.wantsLogprobs))
        output = upstream.io.output
        requestBody = request.encoded(for: upstream.description)
        timer = LoopTimer { [unowned self] in timerFired() }
    }

    deinit {
        if let timer { upstream.io.cancel(timer) }
        stream.deinitialize(count: 1)
        stream.deallocate()
        if isCollecting {
            output.deinitialize(count: 1)
            output.deallocate()
        }
    }

    /// What was used so far, or in all once it has ended, however it ended. A completion that failed before the upstream
    /// gave anything used nothing; one whose client left while it was waited for used its prompt.
    package var progress: Usage {
        let usage = stream.pointee.progress
        switch phase {
        case .asked, .streaming: return usage
        case .idle, .unused:
            return Usage(promptTokens: 0, completionTokens: 0, source: .exact, maxTokensApplied: usage.maxTokensApplied)
        }
    }

    /// Streams the completion into `sink`; suspends once, until it has ended. To be called once.
    /// - Throws: only while nothing was written, so that the answer can still be a status.
    package func relay(into sink: any ByteSink) async throws(ServiceError) -> CompletionOutcome {
        let ending = await run(sink)
        if case .failed(let error) = ending, !isCommitted { throw error }
        return outcome(ending)
    }

    /// Collects the completion and writes nothing; `sink` tells when the client leaves. To be called once.
    package func collect(watching sink: any ByteSink) async throws(ServiceError) -> CompletionResult {
        isCollecting = true
        output = .allocate(capacity: 1)
        output.initialize(to: OutputBuffer(capacity: 1024))
        stream.pointee.form = .text
        let ending = await run(sink)
        if case .failed(let error) = ending { throw error }
        return CompletionResult(
            outcome: outcome(ending), escapedText: Array(output.pointee.bytes), logprobs: stream.pointee.collectedLogprobs)
    }

    /// Ends the completion with an error that is not the upstream's: the server stops, or the session was revoked.
    package func abort(_ error: ServiceError) { fail(error) }

    /// Ends the completion because its owner wants no more of it: what there is so far is the completion, and it ends well.
    package func stop() {
        guard continuation != nil else { return }
        stream.pointee.stop(into: output)
        if !isCollecting {
            isCommitted = true
            sink?.write(output, last: true)
        }
        finish(.stopped)
    }

    private func outcome(_ ending: CompletionOutcome.Ending) -> CompletionOutcome {
        CompletionOutcome(
            ending: ending, usage: progress, model: stream.pointee.model, finishReason: stream.pointee.finishReason)
    }

    private func run(_ sink: any ByteSink) async -> CompletionOutcome.Ending {
        if sink.isClosed { return .clientGone }
        return await withUnsafeContinuation { continuation in
            self.continuation = continuation
            start(sink)
        }
    }

    private func start(_ sink: any ByteSink) {
        self.sink = sink
        sink.source = self
        upstream.openRelays.insert(self)
        schedule(at: commitTime)
        phase = .asked
        let body = requestBody
        // A prompt may be long, and a stream lasts.
        requestBody = []
        let exchange = upstream.transport.send(body, to: self)
        if continuation == nil { exchange.cancel() } else { self.exchange = exchange }
    }

    private func schedule(at time: Int64) {
        guard let timer, !isCollecting else { return }
        upstream.io.schedule(timer, after: .milliseconds(max(0, time - upstream.io.now)))
    }
}

// MARK: The upstream's side

extension CompletionRelay {
    /// The head of the upstream's answer has come.
    package func answered(_ answer: UpstreamAnswer) {
        guard continuation != nil else { return }
        if answer.status != 200 {
            phase = .unused
            refusal = Refusal(answer)
        } else if answer.isEventStream {
            phase = .streaming
            if !isCommitted {
                schedule(at: min(commitTime, upstream.io.now + upstream.timing.holdAfterHead.wholeMilliseconds))
            }
        } else {
            step = .failed(.notAStream)
        }
    }

    /// Bytes of the upstream's body, good during the call.
    package func bodyReceived(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard continuation != nil, case .goesOn = step else { return }
        if let refusal {
            if !refusal.take(bytes) { step = .failed(refusal.fault) }
        } else {
            step = stream.pointee.receive(bytes, into: output)
            // A wake-up may bring more than a slow client shall be kept back: then it is asked in between.
            if output.pointee.count >= Self.writeLimit { readEnded() }
        }
    }

    /// All bytes of one wake-up have been given.
    package func readEnded() {
        guard continuation != nil else { return }
        switch step {
        case .goesOn:
            if isCollecting {
                if output.pointee.count > Self.collectedLimit { fail(UpstreamFault.tooLarge.serviceError) }
            } else if !output.pointee.isEmpty {
                write()
            } else if !isCommitted, stream.pointee.isHoldFull {
                sendComment()
            }
        case .done: end()
        case .failed(let fault): fail(fault.serviceError)
        }
    }

    /// The upstream's answer has ended, properly framed. The exchange calls nothing after this.
    package func completed() {
        exchange = nil
        if step == .goesOn { step = refusal.map { .failed($0.fault) } ?? stream.pointee.end() }
        conclude()
    }

    /// The exchange broke off. It calls nothing after this.
    package func failed(_ fault: UpstreamFault) {
        exchange = nil
        if step == .goesOn { step = .failed(refusal?.fault ?? fault) }
        conclude()
    }

    private func conclude() {
        if continuation != nil { readEnded() } else if let timer { upstream.io.cancel(timer) }
    }
}

// MARK: The client's side

extension CompletionRelay: ByteSource {
    package func sinkDrained() {
        guard isPaused else { return }
        isPaused = false
        exchange?.resume()
    }

    package func sinkClosed() { finish(.clientGone) }

    /// Sends what the output holds, and begins the answer with it if it has not begun.
    private func write() {
        guard let sink, let timer else { return }
        if isCommitted {
            upstream.io.refresh(timer, milliseconds: upstream.heartbeatMilliseconds)
        } else {
            isCommitted = true
            upstream.io.schedule(timer, after: upstream.timing.heartbeat)
        }
        sink.write(output, last: false)
        // The write may have found the client gone and ended all of this.
        if continuation != nil, !isPaused, sink.isFull {
            isPaused = true
            exchange?.pause()
        }
    }

    /// Begins the answer, or keeps it alive, with a comment.
    private func sendComment() {
        output.pointee.append(": keep-alive\n\n")
        write()
    }

    private func timerFired() {
        guard let timer else { return }
        guard continuation != nil else {
            // The client has had its end for a while, and the upstream still has not ended its body.
            exchange?.cancel()
            exchange = nil
            return
        }
        if let refusal {
            fail(refusal.fault.serviceError)
        } else if !isCommitted {
            sendComment()
        } else {
            // A client that does not read is not to find a heap of comments.
            if sink?.isFull == false { sendComment() }
            if continuation != nil { upstream.io.schedule(timer, after: upstream.timing.heartbeat) }
        }
    }

    private func end() {
        if !isCollecting {
            isCommitted = true
            sink?.write(output, last: true)
        }
        finish(.done)
    }

    private func fail(_ error: ServiceError) {
        guard continuation != nil else { return }
        if !stream.pointee.hasUsage { phase = .unused }
        // With output in hand the completion has begun: that is delivered first.
        if !isCollecting, isCommitted || !output.pointee.isEmpty {
            isCommitted = true
            output.pointee.append("event: error\ndata: ")
            output.pointee.append(encodeProblem(error))
            output.pointee.append("\n\n")
            sink?.write(output, last: true)
        }
        finish(.failed(error))
    }

    /// The one way out: lets go of both sides and resumes the handler.
    private func finish(_ ending: CompletionOutcome.Ending) {
        guard let continuation else { return }
        self.continuation = nil
        upstream.openRelays.remove(self)
        sink?.source = nil
        sink = nil
        if let timer { upstream.io.cancel(timer) }
        if ending == .done, let timer, exchange != nil {
            // What is left is the end of a body; read, it leaves a connection that can be used again.
            upstream.io.schedule(timer, after: upstream.timing.lingering)
        } else {
            exchange?.cancel()
            exchange = nil
        }
        continuation.resume(returning: ending)
    }
}
