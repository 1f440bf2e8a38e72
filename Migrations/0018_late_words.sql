set local lock_timeout = '3s';
set local statement_timeout = '30s';

-- As before, and what a process says after it was called dead puts the upstream's bucket right as well as the user's.
create or replace function settle_completions(
    completions uuid[], attempts uuid[], prompts bigint[], outputs bigint[], cached bigint[], reasoning bigint[], sources text[], outcomes text[],
    reasons text[], models text[], upstreams text[], is_crowded boolean
) returns table (completion_id uuid, is_unflushed boolean)
language plpgsql
-- As with `reserve_completions`.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
#variable_conflict use_column
declare
    recent timestamptz := now() - interval '35 days';
    clock timestamptz;
    is_late boolean;
    -- Completions with a reservation; those without whose process was called dead; those that were settled before.
    held uuid[];
    lost uuid[] := '{}';
    known uuid[] := '{}';
    is_guarded boolean := exists (
        select from instance where only_row and (tokens_per_day is not null or tokens_per_month is not null));
    changes bucket_change[];
    change record;
    mine buckets;
    changed buckets[] := '{}';
begin
    held := array(
        select r.completion_id
        from unnest(completions, attempts) as g (completion_id, attempt) join reservations r using (completion_id)
        where r.attempt = g.attempt or g.attempt is null
        order by r.completion_id for update of r);
    if cardinality(held) < cardinality(completions) then
        known := array(select completion_id from usage where completion_id = any (completions) and started_at > recent);
        lost := array(
            select completion_id from usage
            where completion_id = any (known) and started_at > recent and outcome = 'process_lost'
            order by completion_id for update);
    end if;
    clock := clock_timestamp();
    perform from buckets
        where scope in (
            select user_id from reservations where completion_id = any (held)
            union all select user_id from usage where completion_id = any (lost) and started_at > recent
            union all select upstream_scope(upstream) from reservations where completion_id = any (held) and upstream is not null
            union all select upstream_scope(name) from unnest(upstreams) as name where name <> ''
            union all select instance_scope() where is_guarded
            union all select instance_scope() from reservations where completion_id = any (held) and charges_instance)
        order by scope for no key update;
    is_late := release_early(is_crowded, clock);
    clock := limits_clock();

    with given as materialized (
        select *
        from unnest(completions, prompts, outputs, cached, reasoning, sources, outcomes, reasons, models, upstreams) as given (
            completion_id, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, source, outcome, finish_reason, model,
            upstream)
    ), closed as (
        delete from reservations r using given g
        where r.completion_id = g.completion_id and r.completion_id = any (held)
        returning r.completion_id, r.user_id, r.model, r.preset_id, r.created_at, r.max_tokens, r.charges_instance, r.upstream,
            r.reserved_tokens, g.prompt_tokens as prompt, g.completion_tokens as completion, g.cached_tokens, g.reasoning_tokens, g.source,
            g.outcome, nullif(g.finish_reason, '') as finish_reason, nullif(g.model, '') as answered_model,
            nullif(g.upstream, '') as answered_upstream, r.reserved_tokens - g.prompt_tokens - g.completion_tokens as unspent
    ), billed as (
        insert into usage (
            completion_id, user_id, model, preset_id, prompt_tokens, completion_tokens, source, outcome, finish_reason, started_at,
            finished_at, max_tokens_applied, cached_tokens, reasoning_tokens, cost, upstream)
        select completion_id, user_id, coalesce(answered_model, model), preset_id, prompt, completion, source, outcome, finish_reason,
            created_at, clock, max_tokens, cached_tokens, reasoning_tokens,
            completion_cost(model, created_at, prompt, cached_tokens, completion, reasoning_tokens), answered_upstream
        from closed where outcome <> ''
    ), given_back as (
        select user_id as scope, 1, (outcome = '')::int, unspent, created_at from closed
        union all select instance_scope(), 1, (outcome = '')::int, unspent, created_at from closed where charges_instance
        union all select upstream_scope(upstream), 1, (outcome = '')::int, unspent, created_at
            from closed where upstream is not null and upstream = coalesce(answered_upstream, upstream)
        -- Another upstream has answered than the one that was charged.
        union all select upstream_scope(upstream), 1, 1, reserved_tokens, created_at
            from closed where upstream <> answered_upstream
        union all select upstream_scope(answered_upstream), 0, -1, -prompt - completion, created_at
            from closed where answered_upstream is distinct from coalesce(upstream, '') and answered_upstream is not null
    )
    select array_agg(row(g.*)::bucket_change) into changes from given_back g;

    if cardinality(lost) > 0 then
        with given as materialized (
            select *
            from unnest(completions, prompts, outputs, cached, reasoning, sources, outcomes, reasons, models, upstreams) as given (
                completion_id, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, source, outcome, finish_reason,
                model, upstream)
        ), corrected as (
            update usage u set
                prompt_tokens = g.prompt_tokens, completion_tokens = g.completion_tokens, cached_tokens = g.cached_tokens,
                reasoning_tokens = g.reasoning_tokens, source = g.source, outcome = g.outcome,
                finish_reason = nullif(g.finish_reason, ''), model = coalesce(nullif(g.model, ''), u.model),
                upstream = coalesce(nullif(g.upstream, ''), u.upstream), finished_at = clock,
                cost = completion_cost(
                    u.model, u.started_at, g.prompt_tokens, g.cached_tokens, g.completion_tokens, g.reasoning_tokens)
            from given g join usage b using (completion_id)
            where u.completion_id = b.completion_id and u.started_at = b.started_at and u.completion_id = any (lost)
                and b.started_at > recent and g.outcome not in ('process_lost', '')
            returning u.user_id, u.started_at, nullif(g.upstream, '') as answered_upstream,
                b.prompt_tokens + b.completion_tokens - g.prompt_tokens - g.completion_tokens as unspent
        ), given_back as (
            select user_id, 0, 0, unspent, started_at from corrected
            union all select instance_scope(), 0, 0, unspent, started_at from corrected where is_guarded
            union all select upstream_scope(answered_upstream), 0, 0, unspent, started_at
                from corrected where answered_upstream is not null
        )
        select changes || array_agg(row(g.*)::bucket_change) into changes from given_back g;
    end if;

    for change in
        select b, sum(c.slots)::bigint as slots, sum(c.requests)::bigint as requests, sum(c.tokens)::bigint as tokens,
            -- What was admitted on a day that is over is in no count any more.
            coalesce(sum(c.tokens) filter (where utc_day(c.admitted_at) >= greatest(b.day, utc_day(clock))), 0)::bigint as of_day,
            coalesce(sum(c.tokens) filter (where utc_month(c.admitted_at) >= greatest(b.month, utc_month(clock))), 0)::bigint as of_month
        from unnest(changes) as c join buckets b using (scope)
        group by b.scope
    loop
        mine := change.b;
        mine := advanced(mine, mine.requests_per_minute, mine.tokens_per_minute, clock);
        changed := changed
            || charged(mine, -change.slots, -change.requests, -change.tokens, -change.of_day, -change.of_month);
    end loop;
    perform write_buckets(changed);
    return query select id, is_late from unnest(held || known) as id;
end
$$;
select guard_task('settle_completions');
