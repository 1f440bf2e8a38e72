import TestSupport

/// One of those who use the system while it is torn about.
struct LedgerUser: Sendable {
    /// How it behaves.
    enum Manner: Sendable {
        /// Sends at 90 % of its rate, whatever comes back.
        case steady
        /// Has nothing left, waits as long as it is told, and tries again.
        case believer
        /// So many at one time that read, leave, stop and ask for failures as it comes.
        case crowd(Int)
    }

    let manner: Manner
    let limits: LimiterModel.Limits
    /// Requests that it has at the start; nil for all that the bucket holds.
    let begin: Int64?

    /// Each meets another limit.
    static let all: [LedgerUser] = [
        LedgerUser(.steady, requests: 240, begin: 3),
        LedgerUser(.believer, requests: 600, begin: 0),
        LedgerUser(.crowd(6), requests: 120, tokens: 60_000),
        LedgerUser(.crowd(6), tokens: 9_000),
        LedgerUser(.crowd(6), streams: 3),
        LedgerUser(.crowd(5), day: 60_000),
    ]

    private init(
        _ manner: Manner, requests: Int64? = nil, tokens: Int64? = nil, streams: Int64? = nil, day: Int64? = nil,
        begin: Int64? = nil
    ) {
        self.manner = manner
        self.begin = begin
        var limits = LimiterModel.Limits()
        limits.requestsPerMinute = requests
        limits.tokensPerMinute = tokens
        limits.concurrentStreams = streams
        limits.tokensPerDay = day
        self.limits = limits
    }

    /// Gives a user these limits, and takes what it is not to have at the start.
    func sql(_ user: String) -> String {
        let members: [(String, Int64?)] = [
            ("requests_per_minute", limits.requestsPerMinute), ("tokens_per_minute", limits.tokensPerMinute),
            ("concurrent_streams", limits.concurrentStreams), ("tokens_per_day", limits.tokensPerDay),
        ]
        let overrides = members.map { "'\($0.0)', \($0.1.map { "\($0)" } ?? "null")" }.joined(separator: ", ")
        let set = "update users set overrides = jsonb_build_object(\(overrides)) where id = '\(user)';"
        guard let begin, let rate = limits.requestsPerMinute else { return set }
        return """
            \(set)
            update buckets set at = now(), requests_per_minute = \(rate), request_units = \(begin * ModelAccount.unit)
            where scope = '\(user)';
            """
    }
}
