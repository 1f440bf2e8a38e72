import EventLoop

/// Judges whether a request body comes fast enough: silence, average rate and the whole are each bounded, so that a
/// client that trickles holds a connection no longer than one that stops.
struct BodyPace {
    private let start: Int64
    private let configuration: ServerConfiguration
    private let total: Int64
    private var lastProgress: Int64
    private var lastReceived = 0

    /// - Parameter limit: for the whole body, instead of the configured one.
    init(configuration: ServerConfiguration, now: Int64, limit: Duration? = nil) {
        start = now
        lastProgress = now
        self.configuration = configuration
        total = (limit ?? configuration.bodyTimeout).wholeMilliseconds
    }

    mutating func isTooSlow(received: Int, now: Int64) -> Bool {
        if received > lastReceived {
            lastReceived = received
            lastProgress = now
        }
        let elapsed = now - start
        if elapsed >= total || now - lastProgress >= configuration.bodyIdleTimeout.wholeMilliseconds { return true }
        let measured = elapsed - configuration.bodyGrace.wholeMilliseconds
        return measured > 0 && Int64(received) * 1000 < Int64(configuration.bodyMinimumRate) * measured
    }

    /// How long to wait for bytes before judging again.
    func nextLook(now: Int64) -> Duration {
        let silence = lastProgress + configuration.bodyIdleTimeout.wholeMilliseconds - now
        return .milliseconds(max(1, min(silence, start + total - now)))
    }
}
