import Postgres

/// The SQL of a user's own report.
enum UsageStatements {
    /// The sums of the period, with its first and last day as days since 1970, and after them the groups behind a cursor, one
    /// more than asked for: a row more says that another page follows.
    ///
    /// $1 user, $2 first and $3 last day since 1970 or nulls for the 30 days up to today, $4 limit; then the cursor's $5 day or
    /// null, $6 model and $7 preset or null.
    static let report = PostgresStatement(
        "usage_report",
        """
        with grouped as materialized (
            select utc_day(started_at) as day, model collate "C" as model, preset_id, count(*) as requests,
                sum(prompt_tokens) as prompt, sum(completion_tokens) as completion, sum(cached_tokens) as cached,
                sum(reasoning_tokens) as reasoning, sum(cost) as cost
            from usage
            where user_id = $1::uuid
                and started_at >= coalesce(date '1970-01-01' + $2::int, utc_day(now()) - 29)::timestamp at time zone 'UTC'
                and started_at < (coalesce(date '1970-01-01' + $3::int, utc_day(now())) + 1)::timestamp at time zone 'UTC'
            group by 1, 2, 3
        ), page as (
            select * from grouped
            where $5::int is null or day < date '1970-01-01' + $5
                or day = date '1970-01-01' + $5 and (
                    model, preset_id is not null, coalesce(preset_id, '00000000-0000-0000-0000-000000000000')
                ) > ($6::text, $7::uuid is not null, coalesce($7, '00000000-0000-0000-0000-000000000000'))
            order by day desc, model, preset_id is not null, preset_id limit $4::bigint + 1
        ), told as (
            select null::date as day, null as model, null::uuid as preset_id, coalesce(sum(requests), 0) as requests,
                coalesce(sum(prompt), 0) as prompt, coalesce(sum(completion), 0) as completion, coalesce(sum(cached), 0) as cached,
                coalesce(sum(reasoning), 0) as reasoning, sum(cost) as cost
            from grouped
            union all
            select * from page
        )
        select day - date '1970-01-01', model, preset_id, requests::bigint, prompt::bigint, completion::bigint, cached::bigint,
            reasoning::bigint, trim_scale(cost), coalesce($2, utc_day(now()) - 29 - date '1970-01-01'),
            coalesce($3, utc_day(now()) - date '1970-01-01')
        from told order by day desc nulls first, model collate "C", preset_id is not null, preset_id
        """,
        .read)
}
