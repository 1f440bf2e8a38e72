set local lock_timeout = '3s';
set local statement_timeout = '30s';
-- How completions are admitted: one function decides, for many requests at once, against everything that may be spent.
-- Admissions that were given up are kept apart from now on.
delete from reservations where process_id is null;

alter table reservations
    -- Whether the instance's row was charged as well, and whose upstream's; null where that has no limits.
    add column charges_instance boolean not null default false,
    add column upstream text,
    -- Which attempt to be admitted this one is: an id may be tried again after an attempt whose answer never came, and undoing that
    -- one must not undo another.
    add column attempt uuid;

-- Attempts that were given up before they were answered, and that may not be admitted any more.
create table voided_attempts (
    attempt uuid primary key,
    voided_at timestamptz not null default now()
);

-- A request for admission, with all that decides on it but the buckets' levels.
create type completion_ask as (
    place bigint,
    completion_id uuid,
    attempt uuid,
    user_id uuid,
    model text,
    preset_id uuid,
    -- The names of upstreams that may be asked, in their order, as far as they have limits; an empty name stands for one without.
    candidates text[],
    is_live boolean,
    is_repeated boolean,
    limits user_limits,
    max_tokens bigint,
    cost bigint,
    -- Where it is admitted: the upstream that is charged, if it has limits, and when.
    upstream text,
    admitted_at timestamptz
);

-- What was decided on one request, and how its user's buckets stand after.
create type admission as (
    place bigint,
    -- admitted; unknown_user, session_revoked, repeated, paused, model_not_allowed, exceeds_plan, day_budget, month_budget,
    -- request_rate, token_rate, concurrency, instance_day, instance_month or upstream_rate.
    verdict text,
    max_tokens bigint,
    upstream text,
    cost bigint,
    requests_per_minute bigint,
    request_units bigint,
    tokens_per_minute bigint,
    token_units bigint,
    concurrent_streams bigint,
    in_flight bigint,
    -- Until it may be admitted if nobody else asks, in microseconds; null where waiting does not help or its end is not known.
    wait bigint,
    -- What the budget or the bucket in question leaves, in tokens; for exceeds_plan what it holds when it is full.
    remaining bigint,
    -- Why completions are paused.
    reason text,
    -- Whether the commit has to be waited for before anybody is told: see `release_early`.
    is_unflushed boolean
);

-- Which of the ids are those of completions that run, or that have run and are billed. One is remembered for at least a month.
create function taken_ids(completions uuid[]) returns uuid[]
language plpgsql stable
as $$
begin
    return array(
        select r.completion_id from reservations r where r.completion_id = any (completions)
        union all
        select u.completion_id from usage u
        where u.completion_id = any (completions) and u.started_at > now() - interval '35 days');
end
$$;

-- The requests for admission, those of one user together and in the order of their coming. In PL/pgSQL, which keeps the plan.
create function completion_asks(
    completions uuid[], attempts uuid[], users uuid[], sessions uuid[], prompts bigint[], wanted bigint[], models text[], presets uuid[],
    upstreams text[], taken uuid[]
) returns completion_ask[]
language plpgsql stable
as $$
begin
    return (
        select array_agg(
            row(
                a.place, a.completion_id, a.attempt, a.user_id, a.model, a.preset_id, string_to_array(a.upstreams, ','),
                a.session_id is null
                    or coalesce(a.user_id = (select s.user_id from sessions s where s.id = a.session_id and s.revoked_at is null), false),
                a.completion_id = any (taken), l.limits, l.max_tokens, a.prompt_tokens + l.max_tokens, null, null)::completion_ask
            order by a.user_id, a.place)
        from unnest(completions, attempts, users, sessions, prompts, wanted, models, presets, upstreams) with ordinality
                as a (completion_id, attempt, user_id, session_id, prompt_tokens, wanted, model, preset_id, upstreams, place)
            left join lateral (
                select u as limits, least(coalesce(a.wanted, u.max_tokens_default), u.max_tokens_cap) as max_tokens
                from user_limits u where u.user_id = a.user_id
                -- So that it stays a query of its own: a user is looked up by key, and the limits are computed once.
                offset 0
            ) l on true);
end
$$;

-- What one request may cost where nothing was used up yet; null for no limit.
create function most_at_once(limits user_limits, guard instance) returns bigint
language sql immutable
as $$
    select least(
        limits.tokens_per_minute, limits.tokens_per_day, limits.tokens_per_month, guard.tokens_per_day, guard.tokens_per_month)
$$;

-- What is to be said to a request, given its user's row and the instance's as they stand at this moment. Where several limits stand
-- in the way, what cannot pass comes first, then the user's budgets, rates (the longer wait of the two) and slots, then the
-- instance. One expression: PL/pgSQL makes each of its own ready anew in every transaction, which costs more than to compute it.
create function verdict_on(ask completion_ask, mine buckets, guard instance, whole buckets) returns text
language sql immutable
as $$
    select case
        when (ask.limits).user_id is null then 'unknown_user'
        when not ask.is_live then 'session_revoked'
        when ask.is_repeated then 'repeated'
        when guard.paused_at is not null then 'paused'
        when ask.model <> all ((ask.limits).models) then 'model_not_allowed'
        when ask.cost > most_at_once(ask.limits, guard) then 'exceeds_plan'
        when mine.month_tokens + ask.cost > (ask.limits).tokens_per_month then 'month_budget'
        when mine.day_tokens + ask.cost > (ask.limits).tokens_per_day then 'day_budget'
        when wait_for(60000000, mine.request_units, mine.requests_per_minute)
            > wait_for(ask.cost * 60000000, mine.token_units, mine.tokens_per_minute) then 'request_rate'
        when wait_for(ask.cost * 60000000, mine.token_units, mine.tokens_per_minute) > 0 then 'token_rate'
        when mine.in_flight >= (ask.limits).concurrent_streams then 'concurrency'
        when whole.month_tokens + ask.cost > guard.tokens_per_month then 'instance_month'
        when whole.day_tokens + ask.cost > guard.tokens_per_day then 'instance_day'
        else 'admitted'
    end
$$;

-- A refusal with what else is told about it. A wait that is told is that of the limit that is named; who is not known hears nothing.
create function explained(
    refusal admission, ask completion_ask, mine buckets, guard instance, whole buckets, served buckets[]
) returns admission
language plpgsql immutable
as $$
declare
    bare admission;
begin
    if refusal.verdict in ('unknown_user', 'session_revoked') then
        bare.place := refusal.place;
        bare.verdict := refusal.verdict;
        return bare;
    end if;
    refusal.wait := case refusal.verdict
        when 'month_budget' then wait_until(mine.month + interval '1 month', mine.at)
        when 'day_budget' then wait_until(mine.day + interval '1 day', mine.at)
        when 'request_rate' then wait_for(60000000, mine.request_units, mine.requests_per_minute)
        when 'token_rate' then wait_for(ask.cost * 60000000, mine.token_units, mine.tokens_per_minute)
        when 'instance_month' then wait_until(whole.month + interval '1 month', whole.at)
        when 'instance_day' then wait_until(whole.day + interval '1 day', whole.at)
        when 'upstream_rate' then upstream_wait(ask.candidates, served, ask.cost)
    end;
    refusal.remaining := case refusal.verdict
        when 'exceeds_plan' then most_at_once(ask.limits, guard)
        when 'month_budget' then (ask.limits).tokens_per_month - mine.month_tokens
        when 'day_budget' then (ask.limits).tokens_per_day - mine.day_tokens
    end;
    if refusal.verdict = 'paused' then refusal.reason := guard.pause_reason; end if;
    return refusal;
end
$$;

-- Reserves for each request a request, its tokens and a slot, in all the buckets and budgets that concern it, or nothing. Those of
-- one user are decided in the order of their coming.
--
-- It looks twice. First at the rows as they stand: whom these refuse is refused, and nothing is written, not even a lock. Then it
-- locks the rows of the others, in the order of their ids, and decides on what they hold now: so what is admitted is exact over
-- all processes. Ids that are new, because whoever asks has only just made them, are not looked for among those that are taken.
create function reserve_completions(
    holder uuid, completions uuid[], attempts uuid[], users uuid[], sessions uuid[], prompts bigint[], wanted bigint[], models text[],
    presets uuid[], upstreams text[], is_crowded boolean, are_new boolean
) returns setof admission
language plpgsql
-- By their keys, as `write_buckets` says, and dead rows left out.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
declare
    asks completion_ask[] := completion_asks(
        completions, attempts, users, sessions, prompts, wanted, models, presets, upstreams,
        case when are_new then '{}' else taken_ids(completions) end);
    ask completion_ask;
    guard instance;
    is_guarded boolean;
    clock timestamptz;
    -- The scopes whose rows are looked at, and whether these are locked; the rows, and how far the walk through them has come.
    scopes uuid[];
    is_locked boolean := false;
    is_unflushed boolean := false;
    rows buckets[];
    reached int;
    -- The row of the user whose requests are looked at, and whether any was admitted.
    mine buckets;
    is_charged boolean;
    -- The rows of the instance and of upstreams with limits.
    whole buckets;
    served buckets[] := '{}';
    verdict text; source text;
    answers admission[] := '{}';
    refusals admission[];
    answer admission;
    -- What was admitted, and the ids of these; the rows after.
    admitted completion_ask[];
    ids uuid[];
    changed buckets[];
    written bigint;
    is_void boolean; is_taken boolean := false;
begin
    select * into guard from instance where only_row;
    is_guarded := guard.tokens_per_day is not null or guard.tokens_per_month is not null;
    scopes := users;
    if is_guarded then scopes := scopes || instance_scope(); end if;
    if '' <> any (upstreams) then
        scopes := scopes || array(
            select upstream_scope(name) from unnest(upstreams) as names, string_to_table(names, ',') as name where name <> '');
    end if;
    loop
        if is_locked then
            clock := clock_timestamp();
            rows := array(select b from buckets b where b.scope = any (scopes) order by b.scope for no key update);
            is_unflushed := release_early(is_crowded, clock);
        else
            rows := array(select b from buckets b where b.scope = any (scopes) order by b.scope);
        end if;
        clock := limits_clock();
        if is_guarded then whole := advanced(rows[cardinality(rows)], null, null, clock); end if;
        if '' <> any (upstreams) then
            served := array(
                select advanced(b, b.requests_per_minute, b.tokens_per_minute, clock) from unnest(rows) as b
                where b.scope >= first_upstream_scope() and b.scope <> instance_scope()
                    and (b.requests_per_minute is not null or b.tokens_per_minute is not null));
        end if;
        refusals := answers;
        answers := '{}';
        admitted := '{}';
        ids := '{}';
        changed := '{}';
        mine := null;
        is_charged := false;
        reached := 1;
        for place in 1 .. cardinality(asks) loop
            ask := asks[place];
            if mine.scope is distinct from ask.user_id then
                if is_charged then changed := changed || mine; end if;
                is_charged := false;
                -- Both are in the order of the users' ids.
                while rows[reached].scope < ask.user_id loop reached := reached + 1; end loop;
                mine := null;
                if rows[reached].scope = ask.user_id then
                    mine := rows[reached];
                    mine := advanced(mine, (ask.limits).requests_per_minute, (ask.limits).tokens_per_minute, clock);
                end if;
            end if;
            -- Who was refused at the first look has no locked row, nor who was deleted since.
            if is_locked and mine.scope is null then
                answer := refusals[place];
                if answer.verdict = 'admitted' then answer.verdict := 'unknown_user'; end if;
                answers := answers || answer;
                continue;
            end if;
            verdict := verdict_on(ask, mine, guard, whole);
            source := '';
            if verdict = 'admitted' and served <> '{}' then
                source := free_upstream(ask.candidates, served, ask.cost);
                if source is null then verdict := 'upstream_rate'; end if;
            end if;
            if verdict = 'admitted' then
                mine := charged(mine, 1, 1, ask.cost, ask.cost, ask.cost);
                is_charged := true;
                if is_guarded then whole := charged(whole, 1, 1, ask.cost, ask.cost, ask.cost); end if;
                if source <> '' then
                    served := array(
                        select case when s.scope = upstream_scope(source)
                            then charged(s, 1, 1, ask.cost, ask.cost, ask.cost) else s end
                        from unnest(served) as s);
                    ask.upstream := source;
                end if;
                ask.admitted_at := mine.at;
                admitted := admitted || ask;
                ids := ids || ask.completion_id;
            end if;
            answer := row(
                ask.place, verdict, ask.max_tokens, source, ask.cost, mine.requests_per_minute, mine.request_units,
                mine.tokens_per_minute, mine.token_units, (ask.limits).concurrent_streams, mine.in_flight, null, null, null,
                is_unflushed)::admission;
            if verdict <> 'admitted' then answer := explained(answer, ask, mine, guard, whole, served); end if;
            answers := answers || answer;
        end loop;
        if is_charged then changed := changed || mine; end if;
        if is_guarded then changed := changed || whole; end if;
        changed := changed || served;
        exit when cardinality(admitted) = 0 or is_locked;
        if cardinality(admitted) < cardinality(asks) then scopes := array(select c.scope from unnest(changed) as c); end if;
        is_locked := true;
    end loop;

    if cardinality(admitted) > 0 then
        insert into reservations (
            completion_id, attempt, user_id, process_id, reserved_tokens, model, preset_id, max_tokens, prompt_tokens,
            charges_instance, upstream, created_at)
        select completion_id, attempt, user_id, holder, cost, model, preset_id, max_tokens, 0, is_guarded, upstream, admitted_at
        from unnest(admitted)
        order by completion_id
        on conflict do nothing;
        get diagnostics written = row_count;
        -- Who gave an attempt up has locked the user's row to say so.
        is_void := exists (select from voided_attempts where attempt = any (attempts));
        -- Another transaction may have taken one of the ids since they were looked for: it runs, or it has run and is billed.
        -- From now on nobody else can take one.
        if not are_new then
            is_taken := exists (select from usage u where u.completion_id = any (ids) and u.started_at > now() - interval '35 days');
        end if;
        if is_void then raise exception 'an attempt was given up' using errcode = 'query_canceled'; end if;
        if is_taken or written < cardinality(admitted) then
            raise exception 'a completion id was taken meanwhile' using errcode = 'serialization_failure';
        end if;
        if write_buckets(scopes, changed) < cardinality(changed) then
            raise exception 'a bucket went away while it was locked';
        end if;
    end if;
    return query select * from unnest(answers);
end
$$;
