/// Spares requests an upstream that is not there: pure, time in milliseconds is passed in.
///
/// It opens after failures in a row that show nobody there or that cost time, and that do not all fall into one moment: what comes
/// together when an upstream has just gone is asked once, and then waits its turn instead of failing. Then nothing is let through for a while,
/// and after that one request in each such while, as a probe: its failure doubles the while, and any answer, of
/// whatever status, closes the breaker.
package struct CircuitBreaker: Sendable {
    package static let threshold = 5
    /// Between the first of them and the last, in milliseconds.
    package static let moment: Int64 = 250
    package static let firstRest: Int64 = 500
    package static let longestRest: Int64 = 5000

    private var failures = 0
    /// When the first of them was seen.
    private var failingSince: Int64 = 0
    /// Zero while closed.
    private var rest: Int64 = 0
    private var openedAt = Int64.min
    /// From this millisecond on a request is let through.
    package private(set) var earliest = Int64.min

    package init() {}

    /// Whether it has seen an upstream fail that has not answered since.
    package var isOpen: Bool { rest > 0 }

    /// Whether a request is let through at `time`.
    func letsThrough(at time: Int64) -> Bool { time >= earliest }

    /// Lets a request through, or not. Of a probe the next one waits for the outcome, yet not for ever: it may be given up.
    package mutating func tryAsk(at now: Int64) -> Bool {
        guard letsThrough(at: now) else { return false }
        if isOpen { earliest = now + rest }
        return true
    }

    /// A request that was sent at `askedAt` met nobody.
    package mutating func failed(askedAt: Int64, now: Int64) {
        if isOpen {
            // One that was under way when the breaker opened tells nothing new.
            guard askedAt > openedAt else { return }
            rest = min(rest * 2, Self.longestRest)
        } else {
            if failures == 0 { failingSince = now }
            failures += 1
            guard failures >= Self.threshold, now - failingSince >= Self.moment else { return }
            rest = Self.firstRest
        }
        openedAt = now
        earliest = now + rest
    }

    /// An answer has begun.
    package mutating func answered() { self = CircuitBreaker() }
}
