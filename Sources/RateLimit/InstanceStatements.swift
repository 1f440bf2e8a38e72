import Postgres

/// The SQL of what holds for all users together.
enum InstanceStatements {
    /// The one row: budgets, what is counted in them, when and why completions were paused. Times in microseconds since 1970.
    static let show = PostgresStatement(
        "instance_show",
        """
        select i.tokens_per_day, i.tokens_per_month, b.day_tokens, b.month_tokens,
            (extract(epoch from i.paused_at) * 1000000)::bigint, i.pause_reason
        from instance i
            join buckets r on r.scope = instance_scope()
            cross join lateral advanced(r, null, null, limits_clock()) as b
        """,
        .read)

    /// Of this transaction alone: a replica that is in the middle of something, or a dump, shall not make admissions queue up behind
    /// the lock that is waited for.
    static let hurry = PostgresStatement(
        "instance_hurry", "select set_config('lock_timeout', '1s', true), set_config('statement_timeout', '30s', true)")

    /// Keeps other operators out; and where nothing is counted yet, everybody who admits or settles, and waits for those who do:
    /// each of them reads this table first.
    static let close = PostgresStatement(
        "instance_close",
        """
        do $$
        begin
            lock table instance in share row exclusive mode;
            if exists (select from instance where tokens_per_day is null and tokens_per_month is null) then
                lock table instance in access exclusive mode;
            end if;
        end
        $$
        """)

    /// Where nothing is counted yet: has what runs count for the instance, so that its settlement gives back there what was not
    /// spent.
    static let enlist = PostgresStatement(
        "instance_enlist",
        """
        update reservations set charges_instance = true
        where not charges_instance
            and exists (select from instance where tokens_per_day is null and tokens_per_month is null)
        """)

    /// Where nothing is counted yet: counts the running day and month, which are the bills and what is reserved by what runs; and how
    /// many of those there are, because each gives its slot back.
    static let count = PostgresStatement(
        "instance_count",
        """
        with since as materialized (
            select utc_day(clock) as day, utc_month(clock) as month, clock
            from (select greatest(at, limits_clock()) as clock from buckets where scope = instance_scope() offset 0) as c
        ), charged as (
            select started_at as at, prompt_tokens + completion_tokens as tokens from usage
            where started_at >= (select month::timestamp at time zone 'UTC' from since)
            union all
            select created_at, reserved_tokens from reservations
            where created_at >= (select month::timestamp at time zone 'UTC' from since)
        ), counted as (
            select coalesce(sum(c.tokens) filter (where c.at >= s.day::timestamp at time zone 'UTC'), 0)::bigint as of_day,
                coalesce(sum(c.tokens), 0)::bigint as of_month
            from since s left join charged c on true
        )
        update buckets set
            at = since.clock, day = since.day, day_tokens = counted.of_day, month = since.month, month_tokens = counted.of_month,
            in_flight = (select count(*) from reservations where charges_instance)
        from since, counted
        where scope = instance_scope()
            and exists (select from instance where tokens_per_day is null and tokens_per_month is null)
        """)

    /// $1 an object with the budgets that are set, or lifted (null).
    static let change = PostgresStatement(
        "instance_change",
        """
        update instance set
            tokens_per_day = limit_of($1::jsonb, 'tokens_per_day', tokens_per_day),
            tokens_per_month = limit_of($1, 'tokens_per_month', tokens_per_month)
        """)

    /// $1 why, for the users to read, or null.
    static let pause = PostgresStatement(
        "instance_pause", "update instance set paused_at = coalesce(paused_at, now()), pause_reason = $1")

    static let resume = PostgresStatement("instance_resume", "update instance set paused_at = null, pause_reason = null")
}
