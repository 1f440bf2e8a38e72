import Postgres

/// The SQL of what an owner may ask about one completion, the owner in each.
enum CompletionStatements {
    /// Asks for the end of a completion that is not settled yet, and tells every replica in the same transaction. No row where
    /// there is none of this owner.
    ///
    /// $1 completion, $2 user.
    static let stop = PostgresStatement(
        "completion_stop",
        """
        with asked as (
            update reservations set stop_requested_at = coalesce(stop_requested_at, now())
            where completion_id = $1::uuid and user_id = $2::uuid
            returning completion_id, user_id
        )
        select pg_notify('completion_stop', completion_id || ' ' || user_id) is null from asked
        """)

    /// The bill, or the reservation where there is none yet; no row where there is neither. Times in microseconds since 1970.
    ///
    /// $1 completion, $2 user.
    static let status = PostgresStatement(
        "completion_status",
        """
        select null::uuid as process_id, outcome, model, finish_reason, preset_id,
            (extract(epoch from started_at) * 1000000)::bigint, (extract(epoch from finished_at) * 1000000)::bigint,
            prompt_tokens, completion_tokens, source, max_tokens_applied, cached_tokens, reasoning_tokens, trim_scale(cost)
        from usage where completion_id = $1::uuid and user_id = $2::uuid
        union all
        select process_id, 'running', model, null, preset_id,
            (extract(epoch from created_at) * 1000000)::bigint, null,
            prompt_tokens, completion_tokens, 'estimated', max_tokens, 0, 0, null
        from reservations r
        where completion_id = $1 and user_id = $2
            and not exists (select from usage u where u.completion_id = r.completion_id)
        """,
        .read)
}
