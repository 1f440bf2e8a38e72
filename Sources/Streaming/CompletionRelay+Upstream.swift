import EventLoop
import PlaygroundCore

// The upstream's side: attempts, and what comes of them.
extension CompletionRelay {
    /// Asks whom the plan names, or waits, or gives up.
    func askNext() {
        guard let pending else { return }
        let now = pool.io.now
        state.clock.endAttempt()
        // The head of an answer that failed may have brought it forward.
        state.clock.headAt = isCollecting ? RelayClock.never : commitTime
        switch pending.next(now: now) {
        case .ask(let index):
            guard let next = pending.tryAsk(index, now: now) else { return askNext() }
            ask(next, pending, now: now)
        case .wait(let time):
            isUnused = true
            restart(pending)
            state.clock.attemptAt = time
            arm()
        case .giveUp: fail(pending.error(now: now))
        }
    }

    private func ask(_ next: Upstream, _ pending: PendingRequest, now: Int64) {
        // The stream of the first attempt is there already, for the upstream that is asked first.
        let isPrepared = askedAt == 0 && next === upstream
        upstream = next
        askedAt = now
        hasHead = false
        isUnused = false
        if !isPrepared { restart(pending) }
        state.silenceMilliseconds = upstream.silenceMilliseconds
        state.clock.totalAt = startedAt + upstream.totalMilliseconds
        state.clock.firstTokenAt = now + upstream.firstTokenMilliseconds
        arm()
        let body = pending.request.encoded(for: next.description, maxTokens: pending.maxTokens)
        exchange = next.transport.send(body, to: self)
    }

    /// Forgets what an earlier attempt has left behind.
    private func restart(_ pending: PendingRequest) {
        step = .goesOn
        state.stream = Self.stream(
            for: pending.request, from: upstream, maxTokens: pending.maxTokens, isCollecting: isCollecting)
        state.seenEvents = 0
    }

    /// The attempt in hand has come to nothing. Without any output yet, the plan says what follows; else the client hears of it.
    func attemptFailed(_ fault: UpstreamFault) {
        guard isRunning else { return }
        exchange?.cancel()
        exchange = nil
        refusal = nil
        let now = pool.io.now
        upstream.failed(fault, askedAt: askedAt, now: now)
        if !fault.isRefusal { mayHaveCost = true }
        if !state.stream.hasUse { isUnused = true }
        // Output that waits for the end of the wake-up may have no text: log probabilities alone.
        guard let pending, !state.stream.hasText, isCollecting || output.pointee.isEmpty else {
            report(fault, .giveUp, now: now)
            return fail(fault.serviceError)
        }
        pending.failed(fault, now: now)
        report(fault, pending.next(now: now), now: now)
        askNext()
    }

    private func report(_ fault: UpstreamFault, _ step: AttemptPlan.Step, now: Int64) {
        let next: FailedAttempt.Next =
            switch step {
            case .ask(let index): (pending?.candidates[index].description.name).map { .ask(upstream: $0) } ?? .nothing
            case .wait(let time): .wait(.milliseconds(time - now))
            case .giveUp: .nothing
            }
        pool.onFailedAttempt(
            FailedAttempt(completionID: id, upstream: upstream.description.name, fault: fault.label, next: next))
    }

    /// The head of the upstream's answer has come.
    package func answered(_ answer: UpstreamAnswer) {
        upstream.answered()
        hasHead = true
        guard isRunning else { return }
        let now = pool.io.now
        if answer.status != 200 {
            isUnused = true
            refusal = Refusal(answer)
            state.clock.refusalAt = now + pool.lingeringMilliseconds
        } else if answer.isEventStream {
            if isCommitted || isCollecting { return }
            state.clock.headAt = min(commitTime, now + pool.holdMilliseconds)
        } else {
            step = .failed(.notAStream)
            return
        }
        arm()
    }

    /// Bytes of the upstream's body, good during the call.
    package func bodyReceived(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard isRunning, case .goesOn = step else { return }
        if let refusal {
            if !refusal.take(bytes) { step = .failed(refusal.fault) }
        } else {
            step = state.stream.receive(bytes, into: output)
            // A wake-up may bring more than a slow client shall be kept back: then it is asked in between.
            if output.pointee.count >= Self.writeLimit { readEnded() }
        }
    }

    /// All bytes of one wake-up have been given.
    package func readEnded() {
        guard isRunning else { return }
        switch step {
        case .goesOn:
            noteEvents()
            if isCollecting {
                collected()
            } else if !output.pointee.isEmpty {
                write()
            } else if !isCommitted, state.stream.isHoldFull {
                sendComment()
            }
        case .done: end()
        case .failed(let fault): attemptFailed(fault)
        }
    }

    /// Events, unlike comments and the beginnings of events, show that the upstream goes on.
    @inline(__always)
    private func noteEvents() {
        let events = state.stream.events
        if events == state.seenEvents { return }
        state.seenEvents = events
        // A model that thinks aloud for minutes has begun.
        guard state.stream.hasTokens else { return }
        let isFirst = state.clock.firstTokenAt != RelayClock.never
        state.clock.firstTokenAt = RelayClock.never
        if !isPaused { state.clock.silenceAt = pool.io.now + state.silenceMilliseconds }
        if isFirst {
            arm()
            layTrail()
        }
    }

    /// From the first token on each event touches the same memory: most of this object, what the events repeat, and the client's side.
    private func layTrail() {
        var trail = Trail()
        trail.add(self, lines: 8)
        trail.add(state.stream.repeated, lines: 4)
        sink?.lay(&trail)
        exchange?.willTouch(trail)
    }

    private func collected() {
        if output.pointee.count > Self.collectedLimit { return attemptFailed(.tooLarge) }
        if state.stream.hasText { pending = nil }
        arm()
    }

    /// The upstream's answer has ended, properly framed. The exchange calls nothing after this.
    package func completed() {
        exchange = nil
        if step == .goesOn { step = refusal.map { .failed($0.fault) } ?? state.stream.end() }
        conclude()
    }

    /// The exchange broke off. It calls nothing after this.
    package func failed(_ fault: UpstreamFault) {
        exchange = nil
        if step == .goesOn { step = .failed(refusal?.fault ?? fault) }
        conclude()
    }

    private func conclude() {
        if isRunning { readEnded() } else if let timer { pool.io.cancel(timer) }
    }
}
