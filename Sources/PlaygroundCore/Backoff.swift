/// Waits between attempts at something that has to succeed in the end: full jitter between nothing and a longest wait that doubles
/// with every failure, so that replicas never come back in step (Brooker, "Exponential Backoff And Jitter", AWS 2015).
package struct Backoff: Sendable {
    private let first: Duration
    private let cap: Duration
    /// Failures in a row.
    package private(set) var failures = 0

    /// Nothing has failed yet: the longest wait is `first`.
    /// - Parameter cap: up to here it doubles.
    package init(first: Duration = .milliseconds(50), cap: Duration = .seconds(2)) {
        self.first = first
        self.cap = cap
    }

    /// The longest wait doubles.
    package mutating func failed() { failures += 1 }
    /// The next failure is the first one again.
    package mutating func succeeded() { failures = 0 }

    /// How long to wait before the next attempt. `random` is from 0 up to 1, not included.
    package func delay(random: Double) -> Duration {
        min(cap, first * (1 << min(failures, 10))) * random
    }
}
