import Postgres

/// The limiter's SQL. Every statement is a transaction of its own, and the only clock is the database's.
enum LimitStatements {
    /// Reserves everything or nothing, in one conditional UPDATE of the user's row: under the row's lock PostgreSQL evaluates the
    /// condition again on the newest version, so what is admitted is exact over all processes. A refusal writes nothing.
    ///
    /// The rows read beside it are those of the statement's snapshot: if the UPDATE waited for another and was then refused, they
    /// still look as if it could have been admitted, and the caller looks again. A completion id that another transaction has
    /// inserted meanwhile violates the primary key, which undoes the whole statement.
    ///
    /// $1 user, $2 session or null, $3 completion, $4 process, $5 requests a minute, $6 tokens a minute, $7 streams at once,
    /// $8 tokens to reserve, $9 model, $10 preset or null, $11 `max_tokens`.
    static let reserve = PostgresStatement(
        "limits_reserve",
        """
        with created as (
            insert into buckets (user_id, request_units, token_units, requests_per_minute, tokens_per_minute, in_flight, at)
            select id, $5::bigint * 60000000, $6::bigint * 60000000, $5, $6, 0, now() from users
            where id = $1::uuid and not exists (select from buckets where user_id = $1)
            on conflict do nothing
        ), standing as materialized (
            select
                $2::uuid is null
                    or exists (select from sessions where id = $2 and user_id = $1 and revoked_at is null) as session_live,
                exists (select from reservations where completion_id = $3::uuid)
                    or exists (select from usage where completion_id = $3) as repeated
        ), admitted as (
            update buckets b set
                request_units = refilled(b.request_units, $5, b.at) - 60000000,
                token_units = refilled(b.token_units, $6, b.at) - $8::bigint * 60000000,
                requests_per_minute = $5,
                tokens_per_minute = $6,
                in_flight = b.in_flight + 1,
                at = greatest(b.at, now())
            where b.user_id = $1
                and b.in_flight < $7::bigint
                and refilled(b.request_units, $5, b.at) >= 60000000
                and refilled(b.token_units, $6, b.at) >= $8::bigint * 60000000
                and (select session_live and not repeated from standing)
            returning b.user_id, b.request_units, b.token_units, b.in_flight
        ), reserved as (
            insert into reservations (completion_id, user_id, process_id, reserved_tokens, model, preset_id, max_tokens)
            select $3, user_id, $4::uuid, $8, $9::text, $10::uuid, $11::bigint from admitted
        )
        select
            a.user_id is not null,
            s.session_live,
            s.repeated,
            b.user_id is not null or exists (select from users where id = $1),
            coalesce(a.request_units, refilled(b.request_units, $5, b.at)),
            coalesce(a.token_units, refilled(b.token_units, $6, b.at)),
            coalesce(a.in_flight, b.in_flight)
        from standing s left join admitted a on true left join buckets b on b.user_id = $1
        """)

    /// Takes one request and no tokens, if there is one; answers what is left. Null where the user's row is only now made.
    ///
    /// $1 user, $2 requests a minute, $3 tokens a minute.
    static let charge = PostgresStatement(
        "limits_charge",
        """
        with created as (
            insert into buckets (user_id, request_units, token_units, requests_per_minute, tokens_per_minute, in_flight, at)
            select id, ($2::bigint - 1) * 60000000, $3::bigint * 60000000, $2, $3, 0, now() from users
            where id = $1::uuid and not exists (select from buckets where user_id = $1)
            on conflict do nothing
            returning request_units, token_units
        ), charged as (
            update buckets b set
                request_units = refilled(b.request_units, $2, b.at) - 60000000,
                token_units = refilled(b.token_units, $3, b.at),
                requests_per_minute = $2,
                tokens_per_minute = $3,
                at = greatest(b.at, now())
            where b.user_id = $1 and refilled(b.request_units, $2, b.at) >= 60000000
            returning b.request_units, b.token_units
        )
        select request_units, token_units from charged
        union all select request_units, token_units from created
        union all select refilled(request_units, $2, at), refilled(token_units, $3, at) from buckets
            where user_id = $1 and not exists (select from charged)
        """)

    /// Settles a batch: deletes the reservations, gives back or takes the difference to what was reserved, frees the slots and
    /// writes the bill, or nothing of all that. A completion that is settled already stays as it is, but for one that was settled
    /// in the name of a dead process whose own word comes after all: its bill and its bucket are put right. Without an outcome
    /// (a void) the request comes back as well, and there is no bill.
    ///
    /// Reservations, bills and buckets are locked in the order of their keys, so that two batches cannot wait for each other in a
    /// circle. The answer has the completions that need no further attempt: what another transaction settled at the same moment
    /// is not among them yet.
    ///
    /// $1 completions, $2 prompt tokens, $3 completion tokens, $4 sources, $5 outcomes, $6 finish reasons, $7 models; an empty
    /// text stands for none.
    static let settle = PostgresStatement(
        "limits_settle",
        """
        with given as materialized (
            select completion_id, prompt_tokens, completion_tokens, source, outcome, nullif(finish_reason, '') as finish_reason,
                nullif(model, '') as model
            from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[])
                as given (completion_id, prompt_tokens, completion_tokens, source, outcome, finish_reason, model)
        ), held as materialized (
            select r.completion_id from given join reservations r using (completion_id)
            where r.process_id is not null
            order by r.completion_id for update of r
        ), closed as (
            delete from reservations r using given g
            where g.completion_id = r.completion_id and r.completion_id in (select completion_id from held)
            returning r.completion_id, r.user_id, coalesce(g.model, r.model) as model, r.preset_id, g.prompt_tokens,
                g.completion_tokens, g.source, g.outcome, g.finish_reason, r.created_at, r.max_tokens,
                r.reserved_tokens - g.prompt_tokens - g.completion_tokens as unspent
        ), lost as materialized (
            select u.completion_id, u.prompt_tokens + u.completion_tokens as billed
            from given g join usage u using (completion_id)
            where u.outcome = 'process_lost' and g.outcome not in ('process_lost', '')
            order by u.completion_id for update of u
        ), corrected as (
            update usage u set
                prompt_tokens = g.prompt_tokens, completion_tokens = g.completion_tokens, source = g.source,
                outcome = g.outcome, finish_reason = g.finish_reason, model = coalesce(g.model, u.model), finished_at = now()
            from lost join given g using (completion_id)
            where u.completion_id = lost.completion_id
            returning u.completion_id, u.user_id, lost.billed - g.prompt_tokens - g.completion_tokens as unspent
        ), change as materialized (
            select user_id, sum(slots)::bigint as slots, sum(requests)::bigint as requests, sum(unspent)::bigint as unspent from (
                select user_id, 1 as slots, (outcome = '')::int as requests, unspent from closed
                union all select user_id, 0, 0, unspent from corrected
            ) changes group by user_id
        ), locked as materialized (
            select b.user_id from change join buckets b using (user_id) order by b.user_id for update of b
        ), returned as (
            update buckets b set
                request_units = least(
                    b.requests_per_minute * 60000000,
                    refilled(b.request_units, b.requests_per_minute, b.at) + c.requests * 60000000),
                token_units = least(
                    b.tokens_per_minute * 60000000,
                    refilled(b.token_units, b.tokens_per_minute, b.at) + c.unspent * 60000000),
                in_flight = b.in_flight - c.slots,
                at = greatest(b.at, now())
            from change c
            where b.user_id = c.user_id and b.user_id in (select user_id from locked)
        ), billed as (
            insert into usage as u (completion_id, user_id, model, preset_id, prompt_tokens, completion_tokens, source, outcome,
                finish_reason, started_at, max_tokens_applied)
            select completion_id, user_id, model, preset_id, prompt_tokens, completion_tokens, source, outcome, finish_reason,
                created_at, max_tokens
            from closed where outcome <> ''
            on conflict (completion_id) do update set
                prompt_tokens = u.prompt_tokens + excluded.prompt_tokens,
                completion_tokens = u.completion_tokens + excluded.completion_tokens
        )
        select completion_id from closed
        union all select completion_id from corrected
        union all select u.completion_id from given join usage u using (completion_id)
        """)

    /// Forbids ids whose admission was sent and never answered. It waits for one that is being admitted at this moment, and one
    /// that comes later violates the primary key. Those admitted before stay, to be settled as voids.
    ///
    /// $1 completions, $2 their users.
    static let void = PostgresStatement(
        "limits_void",
        """
        insert into reservations (completion_id, user_id, process_id, reserved_tokens, model)
        select completion_id, user_id, null, 0, '' from unnest($1::uuid[], $2::uuid[]) as given (completion_id, user_id)
        order by completion_id
        on conflict do nothing
        """)

    /// Notes what running completions have spent, and answers those among them that their owners want stopped: so a process
    /// learns it also when the notification did not reach it. A row that is being settled is left alone.
    ///
    /// $1 completions, $2 prompt tokens, $3 completion tokens.
    static let progress = PostgresStatement(
        "limits_progress",
        """
        with noted as (
            update reservations r set prompt_tokens = g.prompt_tokens, completion_tokens = g.completion_tokens
            from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as g (completion_id, prompt_tokens, completion_tokens)
            where r.completion_id = g.completion_id and r.completion_id in (
                select completion_id from reservations where completion_id = any ($1) for update skip locked)
            returning r.completion_id, r.user_id, r.stop_requested_at
        )
        select completion_id, user_id from noted where stop_requested_at is not null
        """)
}
