import Synchronization

/// The circuit breaker of one upstream, shared by the loops of a process: what one loop has met, the others need not find out.
/// The lock is taken for a moment a few times for each attempt, never for an event. Times are ``LoopIO/now``, which all loops
/// take from the same clock.
package final class UpstreamCircuit: Sendable {
    private let breaker = Mutex(CircuitBreaker())
    private let onChange: @Sendable (Bool) -> Void

    /// `onChange`: told when it opens (true) and closes, on the loop that made it.
    package init(onChange: @escaping @Sendable (Bool) -> Void = { _ in }) { self.onChange = onChange }

    /// The millisecond from which on a request is let through.
    var earliest: Int64 { breaker.withLock { $0.earliest } }

    /// Whether a request may be sent now: in one step, or two loops would both send the probe that one is to send.
    func tryAsk(at now: Int64) -> Bool { breaker.withLock { $0.tryAsk(at: now) } }

    func answered() {
        let wasOpen = breaker.withLock { breaker in
            defer { breaker.answered() }
            return breaker.isOpen
        }
        if wasOpen { onChange(false) }
    }

    func failed(askedAt: Int64, now: Int64) {
        let hasOpened = breaker.withLock { breaker in
            let wasOpen = breaker.isOpen
            breaker.failed(askedAt: askedAt, now: now)
            return !wasOpen && breaker.isOpen
        }
        if hasOpened { onChange(true) }
    }
}
