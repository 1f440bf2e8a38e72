package import PlaygroundCore
package import Postgres

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

/// One loop's way to how users stand. Reads alone.
package final class StandingReader {
    private let database: PostgresClient

    package init(database: PostgresClient) { self.database = database }

    /// Throws `session_revoked` where there is no such user any more, and `database_unavailable`.
    package func standing(of user: UserID) async throws(ServiceError) -> UserStanding {
        let standing: UserStanding?
        do throws(PostgresError) {
            let result = try await database.execute(StandingStatements.read, [.uuid(user.uuid)])
            standing = result.isEmpty ? nil : try UserStanding(result)
        } catch {
            throw error.serviceError
        }
        guard let standing else { throw ServiceError(.sessionRevoked) }
        return standing
    }
}

/// The SQL of how a user stands.
enum StandingStatements {
    /// The user's limits, and the row as it would be if it were written now. No row where there is no such user. Ends of the day and
    /// the month in microseconds since 1970.
    ///
    /// $1 user.
    static let read = PostgresStatement(
        "standing_read",
        """
        select l.requests_per_minute, l.tokens_per_minute, l.concurrent_streams, l.max_tokens_cap, l.max_tokens_default,
            l.tokens_per_day, l.tokens_per_month, to_json(l.models)::text, l.plan, s.request_units, s.token_units, s.in_flight,
            s.day_tokens, s.month_tokens,
            (extract(epoch from (s.day + interval '1 day') at time zone 'UTC') * 1000000)::bigint,
            (extract(epoch from (s.month + interval '1 month') at time zone 'UTC') * 1000000)::bigint,
            i.paused_at is not null, i.pause_reason
        from user_limits l
            join buckets b on b.scope = l.user_id
            cross join instance i
            cross join lateral advanced(b, l.requests_per_minute, l.tokens_per_minute, limits_clock()) as s
        where l.user_id = $1
        """,
        .read)
}

extension UserStanding {
    fileprivate init(_ result: PostgresResult) throws(PostgresError) {
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
