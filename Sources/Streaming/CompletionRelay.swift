package import EventLoop
package import PlaygroundCore

/// Drives one completion: the bytes of an upstream through a ``CompletionStream`` to the client, one write for each wake-up.
///
/// The answer's head is held back until there is output, so that a failure before that is still a status, or no failure at all
/// because an upstream is asked again; it is not held for ever (``RelayTiming``). From then on a comment goes out whenever the
/// client has heard nothing for a while. A client that leaves ends the exchange at once. All of it runs in calls on one
/// loop.
package final class CompletionRelay {
    /// The longest answer of an upstream that refuses, as far as it is read.
    package static let refusalLimit = 64 * 1024
    /// The longest text that is collected for an answer in one piece, escaped.
    package static let collectedLimit = 4 << 20

    /// So much output does not wait for the end of a wake-up.
    static let writeLimit = 32 * 1024

    /// What every wake-up touches.
    struct State: ~Copyable {
        var stream: CompletionStream
        var clock = RelayClock()
        /// How long the upstream that is asked may be silent.
        var silenceMilliseconds: Int64 = 0
        /// How many events the stream had when it was last looked at.
        var seenEvents = 0
        /// When the timer fires; ``RelayClock/never`` while it is not armed.
        var armedAt = RelayClock.never
    }

    // What every event touches stands together, in as few lines of the processor's cache as it can.
    let pool: UpstreamPool
    // Unchecked for overlapping accesses, which costs on every event: what is called on it calls nothing that comes back here.
    @exclusivity(unchecked) var state: State
    /// The loop's scratch, or the text collected so far.
    var output: UnsafeMutablePointer<OutputBuffer>
    var sink: (any ByteSink)?
    /// Called at the end; nil before the start and after the end.
    private var onEnd: (() -> Void)?
    var refusal: Refusal?
    private(set) var isCollecting = false
    var isCommitted = false
    var isPaused = false
    var step = CompletionStream.Step.goesOn

    /// Names it towards client and bill.
    package let id: CompletionID
    /// Whose it is.
    package let owner: UserID
    /// The login or API key it runs under; nil for a token of another kind.
    package let sessionID: SessionID?
    let encodeProblem: (ServiceError) -> [UInt8]
    /// The loop's millisecond at which the answer has to begin.
    let commitTime: Int64
    /// Nil from the moment on at which the answer has begun: nobody is asked again.
    var pending: PendingRequest?
    /// Who is asked, and since when.
    var upstream: Upstream
    var askedAt: Int64 = 0
    /// Whether the head of its answer has come.
    var hasHead = false
    var startedAt: Int64 = 0
    var exchange: (any UpstreamExchange)?
    var timer: LoopTimer?
    /// The registry's own.
    var entry: RelayRegistry.Entry?
    private var ending = CompletionOutcome.Ending.clientGone
    /// How it is to end as soon as it starts.
    private var earlyEnding: CompletionOutcome.Ending?
    /// No upstream was asked, or the last one that was has given nothing.
    var isUnused = true
    /// An upstream took the request and failed without refusing it: what that has cost, nobody tells.
    var mayHaveCost = false

    /// - Parameters:
    ///   - requestedAt: when the request came, by ``LoopIO/now``.
    ///   - encodeProblem: an error as one line of JSON, for a stream that has begun.
    /// - Throws: where no upstream can be asked for this.
    package init(
        id: CompletionID, owner: UserID, sessionID: SessionID?, request: UpstreamRequest, pool: UpstreamPool, requestedAt: Int64,
        encodeProblem: @escaping (ServiceError) -> [UInt8]
    ) throws(ServiceError) {
        let candidates = try pool.candidates(for: request)
        self.id = id
        self.owner = owner
        self.sessionID = sessionID
        self.pool = pool
        self.encodeProblem = encodeProblem
        let budget = pool.commitMilliseconds
        commitTime = requestedAt + budget
        // One that begins later would hardly be heard of before the head has to go out.
        pending = PendingRequest(request, candidates: candidates, latest: commitTime - budget / 8)
        upstream = candidates[0]
        state = State(stream: Self.stream(for: request, from: candidates[0], maxTokens: 0, isCollecting: false))
        output = pool.io.output
        timer = LoopTimer { [unowned self] in timerFired() }
    }

    /// The upstreams that may answer, in the order in which they are asked; empty once the answer has begun.
    package var candidates: [Upstream] { pending?.candidates ?? [] }

    /// The limits have let it through. To be called once, before it starts.
    /// - Parameters:
    ///   - maxTokens: the `max_tokens` that applies.
    ///   - upstream: the name of the one to ask first; nil leaves the order.
    package func grant(maxTokens: Int, upstream name: String?) {
        guard let pending else { return }
        pending.grant(maxTokens: maxTokens, upstream: name)
        if upstream === pending.candidates[0] {
            state.stream.grant(maxTokens: maxTokens)
        } else {
            upstream = pending.candidates[0]
            state.stream = Self.stream(for: pending.request, from: upstream, maxTokens: maxTokens, isCollecting: false)
        }
    }

    deinit {
        if let timer { pool.io.cancel(timer) }
        if isCollecting {
            output.deinitialize(count: 1)
            output.deallocate()
        }
    }

    /// What was used so far, or in all once it has ended, however it ended.
    ///
    /// It is what the last upstream that was asked is known to have made, delivered or not; what an earlier one made before it
    /// failed is nobody's. A completion of which no upstream gave anything used nothing, which is exact only where each of them
    /// refused it or was never reached: one that broke off may have been at work. A completion whose client left while it was
    /// waited for used its prompt.
    package var progress: Usage {
        let usage = state.stream.progress
        if !isUnused { return usage }
        return Usage(
            promptTokens: 0, completionTokens: 0, source: mayHaveCost ? .estimated : .exact,
            maxTokensApplied: usage.maxTokensApplied)
    }

    /// The name of the upstream that was asked last; nil where none was.
    package var askedUpstream: String? { askedAt == 0 ? nil : upstream.description.name }

    /// Runs from its start to its end.
    var isRunning: Bool { onEnd != nil }

    /// Streams the completion into `sink`. To be called once; what came of it, ``outcome()`` tells.
    /// - Parameter onEnd: called once, when it has ended, which may be before this returns.
    package func relay(into sink: any ByteSink, onEnd: @escaping () -> Void) { start(sink, onEnd) }

    /// Collects the completion and writes nothing; `sink` tells when the client leaves. To be called once; ``result()`` tells.
    /// - Parameter onEnd: as that of ``relay(into:onEnd:)``.
    package func collect(watching sink: any ByteSink, onEnd: @escaping () -> Void) {
        isCollecting = true
        output = .allocate(capacity: 1)
        output.initialize(to: OutputBuffer(capacity: 1024))
        state.stream.form = .text
        start(sink, onEnd)
    }

    /// How a completion that was streamed has ended.
    /// - Throws: its failure, if nothing was written, so that the answer can still be a status.
    package func outcome() throws(ServiceError) -> CompletionOutcome {
        if case .failed(let error) = ending, !isCommitted { throw error }
        return CompletionOutcome(
            ending: ending, usage: progress, model: state.stream.model,
            finishReason: state.stream.finishReason, upstream: askedUpstream)
    }

    /// What a completion that was collected has become.
    /// - Throws: its failure.
    package func result() throws(ServiceError) -> CompletionResult {
        CompletionResult(
            outcome: try outcome(), escapedText: Array(output.pointee.bytes), logprobs: state.stream.collectedLogprobs)
    }

    /// Ends the completion with an error that is not the upstream's: the server stops, or the session was revoked.
    package func abort(_ error: ServiceError) {
        if !isRunning { earlyEnding = earlyEnding ?? .failed(error) } else { fail(error) }
    }

    /// Ends the completion because its owner wants no more of it: what there is so far is the completion, and it ends well.
    package func stop() {
        guard isRunning else {
            earlyEnding = earlyEnding ?? .stopped
            return
        }
        state.stream.stop(usage: progress, into: output)
        if !isCollecting {
            isCommitted = true
            sink?.write(output, last: true)
        }
        finish(.stopped)
    }

    private func start(_ sink: any ByteSink, _ onEnd: @escaping () -> Void) {
        if sink.isClosed {
            pending = nil
            pool.openRelays.remove(self)
            return onEnd()
        }
        self.onEnd = onEnd
        self.sink = sink
        sink.source = self
        pool.openRelays.begin(self)
        switch earlyEnding {
        case .stopped: stop()
        case .failed(let error): fail(error)
        default:
            startedAt = pool.io.now
            askNext()
        }
    }

    static func stream(
        for request: UpstreamRequest, from upstream: Upstream, maxTokens: Int, isCollecting: Bool
    ) -> CompletionStream {
        var stream = CompletionStream(
            kind: upstream.description.kind, promptEstimate: request.promptEstimate, maxTokensApplied: maxTokens,
            wantsLogprobs: request.wantsLogprobs, asksForUsage: upstream.description.tellsUsage)
        if isCollecting { stream.form = .text }
        return stream
    }

    /// The one way out: lets go of both sides and tells the handler.
    func finish(_ ending: CompletionOutcome.Ending) {
        guard let onEnd = onEnd.take() else { return }
        self.ending = ending
        pending = nil
        pool.openRelays.remove(self)
        sink?.source = nil
        sink = nil
        if let timer { pool.io.cancel(timer) }
        if ending == .done, !state.stream.isRunaway, let timer, exchange != nil {
            // What is left is the end of a body; read, it leaves a connection that can be used again.
            pool.io.schedule(timer, milliseconds: pool.lingeringMilliseconds)
        } else {
            exchange?.cancel()
            exchange = nil
        }
        onEnd()
    }
}

// MARK: Time

extension CompletionRelay {
    /// Has the timer fire at the next moment that is waited for, or before: one that finds nothing due is armed again. So a moment
    /// that is put off costs nothing here.
    func arm() {
        let next = state.clock.next
        guard let timer, next < state.armedAt else { return }
        state.armedAt = next
        pool.io.schedule(timer, milliseconds: next - pool.io.now)
    }

    private func timerFired() {
        state.armedAt = RelayClock.never
        guard isRunning else {
            // The client has had its end for a while, and the upstream still has not ended its body.
            exchange?.cancel()
            exchange = nil
            return
        }
        switch state.clock.due(at: pool.io.now) {
        // One that has not even begun to answer may not be there: that is not the model taking its time.
        case .timeOut(.firstToken) where !hasHead:
            attemptFailed(.timedOut(exchange?.isConnected == false ? .connect : .firstByte))
        case .timeOut(let phase): attemptFailed(.timedOut(phase))
        case .refusal: if let refusal { attemptFailed(refusal.fault) }
        case .attempt: askNext()
        case .head: beginDue()
        case .heartbeat: beat()
        case .nothing: break
        }
        if isRunning { arm() }
    }
}
