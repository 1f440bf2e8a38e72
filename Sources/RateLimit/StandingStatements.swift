import Postgres

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
