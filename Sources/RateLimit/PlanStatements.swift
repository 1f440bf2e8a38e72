import Postgres

/// The SQL of plans and of who has which. The limits stand in the order of ``Limit``, the models as JSON behind them.
enum PlanStatements {
    /// All plans, or one: its name, how many users have it, its limits.
    ///
    /// $1 name, or null for all.
    static let list = PostgresStatement(
        "plans_list",
        """
        select p.name, (select count(*) from users u where u.plan = p.name), p.requests_per_minute, p.tokens_per_minute,
            p.concurrent_streams, p.max_tokens_cap, p.max_tokens_default, p.tokens_per_day, p.tokens_per_month,
            to_json(p.models)::text
        from plans p where $1::text is null or p.name = $1 order by p.name <> 'default', p.name
        """,
        .read)

    /// Makes a plan with the limits of `default`, where there is none of this name: one row, or none.
    ///
    /// $1 name.
    static let create = PostgresStatement(
        "plans_create",
        """
        insert into plans (
            name, requests_per_minute, tokens_per_minute, concurrent_streams, max_tokens_cap, max_tokens_default, models,
            tokens_per_day, tokens_per_month)
        select $1, requests_per_minute, tokens_per_minute, concurrent_streams, max_tokens_cap, max_tokens_default, models,
            tokens_per_day, tokens_per_month
        from plans where name = 'default'
        on conflict (name) do nothing
        """)

    /// Changes a plan.
    ///
    /// $1 name, $2 an object like the overrides of a user.
    static let change = PostgresStatement(
        "plans_change",
        """
        update plans set
            requests_per_minute = limit_of($2::jsonb, 'requests_per_minute', requests_per_minute),
            tokens_per_minute = limit_of($2, 'tokens_per_minute', tokens_per_minute),
            concurrent_streams = limit_of($2, 'concurrent_streams', concurrent_streams),
            max_tokens_cap = limit_of($2, 'max_tokens_cap', max_tokens_cap),
            max_tokens_default = limit_of($2, 'max_tokens_default', max_tokens_default),
            models = case
                when not $2 ? 'models' then models
                when jsonb_typeof($2 -> 'models') = 'array' then array(select jsonb_array_elements_text($2 -> 'models'))
            end,
            tokens_per_day = limit_of($2, 'tokens_per_day', tokens_per_day),
            tokens_per_month = limit_of($2, 'tokens_per_month', tokens_per_month),
            changed_at = now()
        where name = $1
        """)

    /// Deletes a plan that nobody has: one row, or none.
    ///
    /// $1 name.
    static let delete = PostgresStatement(
        "plans_delete", "delete from plans p where name = $1 and not exists (select from users u where u.plan = p.name)")

    /// Gives a user another plan: one row, or none where there is no such user. A plan that does not exist violates a foreign key.
    ///
    /// $1 user or null, $2 e-mail address or null, $3 name of the plan.
    static let assign = PostgresStatement("plans_assign", "update users set plan = $3 where id = $1::uuid or email = $2")

    /// Changes what differs from the plan for one user: one row, or none where there is no such user.
    ///
    /// $1 user or null, $2 e-mail address or null, $3 whether to forget all that was, $4 an object of what is set or lifted (null),
    /// $5 names of what is to be as the plan has it.
    static let override = PostgresStatement(
        "plans_override",
        """
        update users set overrides = (case when $3::boolean then '{}' else overrides end || $4::jsonb) - $5::text[]
        where id = $1::uuid or email = $2
        """)

    /// What holds for one user: id, address, plan, overrides, limits.
    ///
    /// $1 user or null, $2 e-mail address or null.
    static let user = PostgresStatement(
        "plans_user",
        """
        select u.id, u.email, u.plan, u.overrides::text, l.requests_per_minute, l.tokens_per_minute, l.concurrent_streams,
            l.max_tokens_cap, l.max_tokens_default, l.tokens_per_day, l.tokens_per_month, to_json(l.models)::text
        from users u join user_limits l on l.user_id = u.id
        where u.id = $1::uuid or u.email = $2
        """,
        .read)
}
