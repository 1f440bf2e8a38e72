/// When a document of a provider is asked for again, and how long the last good one may be used. Pure: seconds are passed in.
struct KeptDocument<Value: Sendable>: Sendable {
    /// Older ones are asked for again before they are used.
    static var freshFor: Int64 { 3600 }
    /// While the provider does not answer, the last good one is used for so long.
    static var keptFor: Int64 { 24 * 3600 }
    /// Who wants another one. What anybody may have sent does not use up what is there for log-ins that the provider vouches for.
    enum Cause: Sendable {
        /// There is none, or it is old.
        case need
        /// The provider itself has just used what is not in it: each time it has answered a request of ours already, and one that
        /// makes its keys when it starts may well have several sets a minute.
        case use
        /// A token that somebody brought.
        case claim

        var fetchesPerMinute: Int { self == .use ? 6 : 2 }
    }

    /// The last good one.
    private(set) var value: Value?
    /// Counts the good ones.
    private(set) var generation = 0
    private var fetchedAt: Int64 = 0
    private var attempts: [(at: Int64, cause: Cause)] = []

    /// Whether another one should be had before the value is used.
    /// - Parameter rejected: the generation that would not do; nil where none was tried.
    func isWanting(now: Int64, rejected: Int?) -> Bool {
        guard value != nil, now - fetchedAt < Self.freshFor else { return true }
        return rejected.map { $0 >= generation } ?? false
    }

    /// What may be used, however old it is.
    func usable(now: Int64, rejected: Int?) -> Value? {
        if let rejected, rejected >= generation { return nil }
        return now - fetchedAt < Self.keptFor ? value : nil
    }

    /// Counts an attempt; false where there were enough of them: of all kinds for a claim, else of all but claims.
    mutating func mayFetch(now: Int64, _ cause: Cause) -> Bool {
        attempts.removeAll { now - $0.at >= 60 }
        let counted = attempts.count { cause == .claim || $0.cause != .claim }
        guard counted < cause.fetchesPerMinute else { return false }
        attempts.append((now, cause))
        return true
    }

    mutating func received(_ value: Value, now: Int64) {
        self.value = value
        generation += 1
        fetchedAt = now
    }
}
