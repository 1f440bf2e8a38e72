import EventLoop

/// One upstream as one loop knows it: what it is, the way to it, and whether it is there. Not Sendable: it belongs to its loop.
package final class Upstream {
    package let description: UpstreamDescription
    let transport: any UpstreamTransport
    // Once instead of for every stream.
    let firstTokenMilliseconds: Int64
    let silenceMilliseconds: Int64
    let totalMilliseconds: Int64
    private var breaker = CircuitBreaker()
    private let onBreaker: (Bool) -> Void

    /// `onBreaker`: told when the circuit breaker opens (true) and closes.
    package init(
        description: UpstreamDescription, transport: any UpstreamTransport, onBreaker: @escaping (Bool) -> Void = { _ in }
    ) {
        self.description = description
        self.transport = transport
        self.onBreaker = onBreaker
        firstTokenMilliseconds = description.firstTokenTimeout.wholeMilliseconds
        silenceMilliseconds = description.silenceTimeout.wholeMilliseconds
        totalMilliseconds = description.totalTimeout.wholeMilliseconds
    }

    /// The millisecond from which on its breaker lets a request through.
    var earliest: Int64 { breaker.earliest }

    func letsThrough(at time: Int64) -> Bool { breaker.letsThrough(at: time) }

    func asked(at now: Int64) { breaker.asked(at: now) }

    func answered() {
        guard breaker.isOpen else { return breaker.answered() }
        breaker.answered()
        onBreaker(false)
    }

    func failed(_ fault: UpstreamFault, askedAt: Int64, now: Int64) {
        guard fault.showsAbsence else { return }
        let wasOpen = breaker.isOpen
        breaker.failed(askedAt: askedAt, now: now)
        if !wasOpen, breaker.isOpen { onBreaker(true) }
    }
}
