package import PlaygroundCore
import Postgres

/// How a user stands at this moment: what the plan allows, as overridden, and what is left of it.
package struct UserStanding: Sendable, Equatable {
    /// What may be spent in a day or a month of UTC.
    package struct Budget: Sendable, Equatable {
        package let limit: Int64
        /// Spent, and reserved by what runs.
        package let used: Int64
        /// When the next day or month begins.
        package let resetsAt: Timestamp

        package var remaining: Int64 { max(0, limit - used) }
    }

    package let plan: String
    package let limits: PlanLimits
    package let buckets: BucketSnapshot
    /// Completions that run.
    package let inFlight: Int64
    /// Nil for no limit.
    package let day: Budget?
    /// Nil for no limit.
    package let month: Budget?
    /// Whether no completion is taken of anybody.
    package let isPaused: Bool
    package let pauseReason: String?
}

extension UserStanding {
    /// Reads the row of ``StandingStatements/read``.
    init(_ result: PostgresResult) throws(PostgresError) {
        limits = try PlanLimits(result, row: 0, from: 0)
        let first = PlanLimits.columns
        plan = try result.string(0, first)
        buckets = BucketSnapshot(
            requests: try TokenBucket(result, row: 0, rate: 0, level: first + 1),
            tokens: try TokenBucket(result, row: 0, rate: 1, level: first + 2))
        inFlight = try result.int(0, first + 3)
        day = try Self.budget(limits[.tokensPerDay], result, used: first + 4, end: first + 6)
        month = try Self.budget(limits[.tokensPerMonth], result, used: first + 5, end: first + 7)
        isPaused = try result.bool(0, first + 8)
        pauseReason = try result.stringIfPresent(0, first + 9)
    }

    private static func budget(
        _ limit: Int64?, _ result: PostgresResult, used: Int, end: Int
    ) throws(PostgresError) -> Budget? {
        guard let limit else { return nil }
        return Budget(
            limit: limit, used: max(0, try result.int(0, used)), resetsAt: Timestamp(microseconds: try result.int(0, end)))
    }
}
