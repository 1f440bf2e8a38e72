set local lock_timeout = '3s';
set local statement_timeout = '60s';

-- What users, the instance and upstreams may spend, and the one function that admits completions against all of it.
-- Replicas of before cannot work on this schema: start the new ones right after.

-- Null stands for no limit. The plan `default` is what the servers' environment says: each writes it when it starts.
create table plans (
    name text primary key constraint plans_name check (name ~ '^[a-z0-9][a-z0-9_-]{0,49}$'),
    requests_per_minute bigint constraint plans_requests check (requests_per_minute between 1 and 1000000000),
    tokens_per_minute bigint constraint plans_tokens check (tokens_per_minute between 1 and 1000000000),
    concurrent_streams bigint constraint plans_streams check (concurrent_streams between 1 and 1000000),
    max_tokens_cap bigint constraint plans_cap check (max_tokens_cap between 1 and 2147483647),
    -- Of a request that names none; null: as in plan `default`.
    max_tokens_default bigint constraint plans_default check (max_tokens_default between 1 and 2147483647),
    -- Those of the servers' allowed models that may be used.
    models text[] constraint plans_models check (cardinality(models) > 0 and array_position(models, null) is null),
    -- By the calendar of UTC; what was admitted on a day counts for that day.
    tokens_per_day bigint constraint plans_day check (tokens_per_day between 0 and 1000000000000000),
    tokens_per_month bigint constraint plans_month check (tokens_per_month between 0 and 1000000000000000),
    changed_at timestamptz not null default now()
);

insert into plans (name, requests_per_minute, tokens_per_minute, concurrent_streams, max_tokens_cap, max_tokens_default)
values ('default', 60, 90000, 4, 2048, 256);

alter table users
    add constraint users_plan foreign key (plan) references plans (name),
    -- What differs from the plan, by the names of its columns; a value of null lifts the limit.
    add column overrides jsonb not null default '{}' constraint users_overrides check (jsonb_typeof(overrides) = 'object');

-- A limit of a plan, as overridden.
create function limit_of(overrides jsonb, name text, planned bigint) returns bigint
language sql immutable parallel safe
as $$ select case when overrides ? name then (overrides ->> name)::bigint else planned end $$;

-- What holds for each user.
create view user_limits as
select
    u.id as user_id,
    u.plan,
    limit_of(u.overrides, 'requests_per_minute', p.requests_per_minute) as requests_per_minute,
    limit_of(u.overrides, 'tokens_per_minute', p.tokens_per_minute) as tokens_per_minute,
    limit_of(u.overrides, 'concurrent_streams', p.concurrent_streams) as concurrent_streams,
    limit_of(u.overrides, 'max_tokens_cap', p.max_tokens_cap) as max_tokens_cap,
    coalesce(
        limit_of(u.overrides, 'max_tokens_default', p.max_tokens_default),
        (select max_tokens_default from plans where name = 'default')) as max_tokens_default,
    case
        when not u.overrides ? 'models' then p.models
        when jsonb_typeof(u.overrides -> 'models') = 'array'
            then (select array_agg(model) from jsonb_array_elements_text(u.overrides -> 'models') as model)
    end as models,
    limit_of(u.overrides, 'tokens_per_day', p.tokens_per_day) as tokens_per_day,
    limit_of(u.overrides, 'tokens_per_month', p.tokens_per_month) as tokens_per_month
from users u join plans p on p.name = u.plan;

-- The one row about the instance as a whole: what all users together may spend, null for no limit, and whether anybody may.
create table instance (
    only_row boolean primary key default true constraint instance_only_row check (only_row),
    tokens_per_day bigint constraint instance_day check (tokens_per_day between 0 and 1000000000000000),
    tokens_per_month bigint constraint instance_month check (tokens_per_month between 0 and 1000000000000000),
    paused_at timestamptz,
    -- For the users to read.
    pause_reason text constraint instance_pause_reason check (octet_length(pause_reason) <= 500)
);
insert into instance default values;

-- Buckets belong to a scope: a user, the instance, or an upstream. Scopes that are no users have ids behind all of theirs, so that
-- who locks rows in the order of their ids takes the rows that everybody needs last.
create function instance_scope() returns uuid language sql immutable parallel safe
as $$ select 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid $$;

create function first_upstream_scope() returns uuid language sql immutable parallel safe
as $$ select 'ffffffff-ffff-0000-0000-000000000000'::uuid $$;

create function upstream_scope(name text) returns uuid language sql immutable parallel safe
as $$ select overlay(md5(name) placing 'ffffffffffff' from 1)::uuid $$;

-- A level that is full under any rate, and stands for a bucket without one.
create function full_level() returns bigint language sql immutable parallel safe
as $$ select 2305843009213693952 $$;

alter table buckets drop constraint buckets_user_id_fkey;
alter table buckets rename column user_id to scope;
alter table buckets
    alter column requests_per_minute drop not null,
    alter column tokens_per_minute drop not null,
    alter column request_units set default full_level(),
    alter column token_units set default full_level(),
    alter column in_flight set default 0,
    alter column at set default now(),
    -- The day and the month that the counts are of: what was admitted then, as far as is known.
    add column day date not null default '-infinity',
    add column day_tokens bigint not null default 0,
    add column month date not null default '-infinity',
    add column month_tokens bigint not null default 0;

-- Every user has a row, from the first moment to the last.
create function keep_user_buckets() returns trigger language plpgsql
as $$
begin
    if tg_op = 'INSERT' then
        insert into buckets (scope) select id from changed on conflict do nothing;
    else
        delete from buckets where scope in (select id from changed);
    end if;
    return null;
end
$$;
create trigger users_inserted after insert on users
    referencing new table as changed for each statement execute function keep_user_buckets();
create trigger users_deleted after delete on users
    referencing old table as changed for each statement execute function keep_user_buckets();
insert into buckets (scope) select id from users on conflict do nothing;
insert into buckets (scope) values (instance_scope());

-- The level at `clock` of a bucket that stood at `level` at `since` and gains `per_minute` tokens a minute up to one minute's worth.
-- Of the time passed at most an hour counts, so that no product overflows at up to 1,000,000,000 a minute.
create function refilled(level bigint, per_minute bigint, since timestamptz, clock timestamptz) returns bigint
language sql immutable parallel safe
as $$
    select least(
        per_minute * 60000000,
        level + per_minute * (extract(epoch from least(greatest(clock - since, interval '0'), interval '1 hour')) * 1000000)::bigint)
$$;

create function utc_day(clock timestamptz) returns date language sql immutable parallel safe
as $$ select (clock at time zone 'UTC')::date $$;

create function utc_month(clock timestamptz) returns date language sql immutable parallel safe
as $$ select date_trunc('month', clock at time zone 'UTC')::date $$;

-- A row as it stands at `clock` under these rates: refilled, and counting the day and the month that it is. Nothing in it ever
-- moves back, whatever the clock does.
create function advanced(b buckets, requests_per_minute bigint, tokens_per_minute bigint, clock timestamptz) returns buckets
language sql immutable parallel safe
as $$
    select row(
        b.scope,
        coalesce(refilled(b.request_units, $2, b.at, $4), full_level()),
        coalesce(refilled(b.token_units, $3, b.at, $4), full_level()),
        $2,
        $3,
        b.in_flight,
        greatest(b.at, $4),
        greatest(b.day, utc_day($4)),
        case when b.day >= utc_day($4) then b.day_tokens else 0 end,
        greatest(b.month, utc_month($4)),
        case when b.month >= utc_month($4) then b.month_tokens else 0 end)::buckets
$$;

-- A row after so many slots, requests and tokens were taken from it, or given back where they are negative: never above what its
-- buckets hold, below zero if need be. The counts of day and month are told apart, because what is given back may be of a day
-- that is over.
create function charged(b buckets, slots bigint, requests bigint, tokens bigint, day_tokens bigint, month_tokens bigint) returns buckets
language sql immutable parallel safe
as $$
    select row(
        b.scope,
        case when b.requests_per_minute is null then full_level()
            else least(b.requests_per_minute * 60000000, b.request_units - $3 * 60000000) end,
        case when b.tokens_per_minute is null then full_level()
            else least(b.tokens_per_minute * 60000000, b.token_units - $4 * 60000000) end,
        b.requests_per_minute,
        b.tokens_per_minute,
        b.in_flight + $2,
        b.at,
        b.day,
        b.day_tokens + $5,
        b.month,
        b.month_tokens + $6)::buckets
$$;

-- Microseconds until a bucket at `level` holds `units`.
create function wait_for(units bigint, level bigint, per_minute bigint) returns bigint
language sql immutable parallel safe
as $$ select case when units > level then (units - level + per_minute - 1) / per_minute else 0 end $$;

-- Microseconds from `clock` to a moment of UTC.
create function wait_until(moment timestamp, clock timestamptz) returns bigint
language sql immutable parallel safe
as $$ select (extract(epoch from (moment at time zone 'UTC') - clock) * 1000000)::bigint $$;

-- The clock of the limits. A function of its own, so that a test can stand in for time.
create function limits_clock() returns timestamptz language sql volatile
as $$ select clock_timestamp() $$;

alter table reservations
    -- Whether the instance's row was charged as well, and whose upstream's; null where that has no limits.
    add column charges_instance boolean not null default false,
    add column upstream text;

-- A request for admission, with all that decides on it but the buckets' levels.
create type completion_ask as (
    place bigint,
    completion_id uuid,
    user_id uuid,
    model text,
    preset_id uuid,
    -- The names of upstreams that may be asked, in their order, as far as they have limits; an empty name stands for one without.
    candidates text[],
    is_live boolean,
    is_repeated boolean,
    limits user_limits,
    max_tokens bigint,
    cost bigint
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
    reason text
);

-- The requests for admission, those of one user together and in the order of their coming. In PL/pgSQL, which keeps the plan.
create function completion_asks(
    completions uuid[], users uuid[], sessions uuid[], prompts bigint[], wanted bigint[], models text[], presets uuid[], upstreams text[]
) returns completion_ask[]
language plpgsql stable
as $$
begin
    return (
        select array_agg(
            row(
                a.place, a.completion_id, a.user_id, a.model, a.preset_id, string_to_array(a.upstreams, ','),
                a.session_id is null
                    or exists (
                        select from sessions s where s.id = a.session_id and s.user_id = a.user_id and s.revoked_at is null),
                -- An id is remembered for at least a month.
                exists (select from reservations r where r.completion_id = a.completion_id)
                    or exists (
                        select from usage u
                        where u.completion_id = a.completion_id and u.started_at > now() - interval '35 days'),
                l, t.max_tokens, a.prompt_tokens + t.max_tokens)::completion_ask
            order by a.user_id, a.place)
        from unnest(completions, users, sessions, prompts, wanted, models, presets, upstreams) with ordinality
                as a (completion_id, user_id, session_id, prompt_tokens, wanted, model, preset_id, upstreams, place)
            left join user_limits l on l.user_id = a.user_id
            cross join lateral (select least(coalesce(a.wanted, l.max_tokens_default), l.max_tokens_cap) as max_tokens) t);
end
$$;

-- What is to be said to a request, given its user's row and the instance's as they stand at this moment. Where several limits stand
-- in the way, the one that cannot pass comes first, then the one whose wait is longest.
create function judged(ask completion_ask, mine buckets, guard instance, whole buckets) returns admission
language plpgsql immutable
as $$
declare
    limits user_limits := ask.limits;
    answer admission;
begin
    answer.place := ask.place;
    answer.verdict := 'unknown_user';
    if limits.user_id is null then return answer; end if;
    answer.verdict := 'session_revoked';
    if not ask.is_live then return answer; end if;

    answer.max_tokens := ask.max_tokens;
    answer.cost := ask.cost;
    answer.requests_per_minute := mine.requests_per_minute;
    answer.request_units := mine.request_units;
    answer.tokens_per_minute := mine.tokens_per_minute;
    answer.token_units := mine.token_units;
    answer.concurrent_streams := limits.concurrent_streams;
    answer.in_flight := mine.in_flight;

    answer.verdict := 'repeated';
    if ask.is_repeated then return answer; end if;
    answer.verdict := 'paused';
    answer.reason := guard.pause_reason;
    if guard.paused_at is not null then return answer; end if;
    answer.reason := null;
    answer.verdict := 'model_not_allowed';
    if ask.model <> all (limits.models) then return answer; end if;

    answer.verdict := 'exceeds_plan';
    answer.remaining := least(
        limits.tokens_per_minute, limits.tokens_per_day, limits.tokens_per_month, guard.tokens_per_day, guard.tokens_per_month);
    if ask.cost > answer.remaining then return answer; end if;
    answer.verdict := 'month_budget';
    answer.remaining := limits.tokens_per_month - mine.month_tokens;
    answer.wait := wait_until(mine.month + interval '1 month', mine.at);
    if ask.cost > answer.remaining then return answer; end if;
    answer.verdict := 'day_budget';
    answer.remaining := limits.tokens_per_day - mine.day_tokens;
    answer.wait := wait_until(mine.day + interval '1 day', mine.at);
    if ask.cost > answer.remaining then return answer; end if;

    answer.remaining := null;
    answer.verdict := 'token_rate';
    answer.wait := wait_for(ask.cost * 60000000, mine.token_units, mine.tokens_per_minute);
    if wait_for(60000000, mine.request_units, mine.requests_per_minute) > answer.wait then
        answer.verdict := 'request_rate';
        answer.wait := wait_for(60000000, mine.request_units, mine.requests_per_minute);
    end if;
    if answer.wait > 0 then return answer; end if;
    answer.verdict := 'concurrency';
    answer.wait := null;
    if mine.in_flight >= limits.concurrent_streams then return answer; end if;

    answer.verdict := 'instance_month';
    answer.wait := wait_until(whole.month + interval '1 month', whole.at);
    if whole.month_tokens + ask.cost > guard.tokens_per_month then return answer; end if;
    answer.verdict := 'instance_day';
    answer.wait := wait_until(whole.day + interval '1 day', whole.at);
    if whole.day_tokens + ask.cost > guard.tokens_per_day then return answer; end if;

    answer.verdict := 'admitted';
    answer.wait := null;
    return answer;
end
$$;

-- The first of the candidates that has room, an empty name where that is one without limits; null where none has.
create function free_upstream(candidates text[], served buckets[], cost bigint) returns text
language sql immutable
as $$
    select name
    from unnest(case when candidates = '{}' then '{""}' else candidates end) with ordinality as candidate (name, place)
        left join unnest(served) as s on s.scope = upstream_scope(name)
    where s.scope is null
        or (wait_for(cost * 60000000, s.token_units, s.tokens_per_minute) = 0
            and wait_for(60000000, s.request_units, s.requests_per_minute) = 0)
    order by place limit 1
$$;

-- Microseconds until one of the candidates has room; null where none ever has.
create function upstream_wait(candidates text[], served buckets[], cost bigint) returns bigint
language sql immutable
as $$
    select min(greatest(
        wait_for(cost * 60000000, s.token_units, s.tokens_per_minute),
        wait_for(60000000, s.request_units, s.requests_per_minute)))
    from unnest(candidates) as name join unnest(served) as s on s.scope = upstream_scope(name)
    where cost <= coalesce(s.tokens_per_minute, cost)
$$;

-- Writes rows that are locked.
create function write_buckets(changed buckets[]) returns void
language plpgsql
as $$
begin
    update buckets b set
        request_units = c.request_units, token_units = c.token_units, requests_per_minute = c.requests_per_minute,
        tokens_per_minute = c.tokens_per_minute, in_flight = c.in_flight, at = c.at, day = c.day, day_tokens = c.day_tokens,
        month = c.month, month_tokens = c.month_tokens
    from unnest(changed) as c
    where b.scope = c.scope;
end
$$;

-- Reserves for each request a request, its tokens and a slot, in all the buckets and budgets that concern it, or nothing. Those of
-- one user are decided in the order of their coming.
--
-- It looks twice. First at the rows as they stand: whom these refuse is refused, and nothing is written, not even a lock. Then it
-- locks the rows of the others, in the order of their ids, and decides on what they hold now: so what is admitted is exact over
-- all processes.
create function reserve_completions(
    holder uuid, completions uuid[], users uuid[], sessions uuid[], prompts bigint[], wanted bigint[], models text[],
    presets uuid[], upstreams text[]
) returns setof admission
language plpgsql
as $$
declare
    asks completion_ask[] := completion_asks(completions, users, sessions, prompts, wanted, models, presets, upstreams);
    ask completion_ask;
    guard instance;
    is_guarded boolean;
    clock timestamptz;
    -- The scopes whose rows are looked at, and whether these are locked; the rows, and how far the walk through them has come.
    scopes uuid[];
    is_locked boolean := false;
    rows buckets[];
    reached int;
    -- The row of the user whose requests are looked at, and whether any was admitted.
    mine buckets;
    is_charged boolean;
    -- The rows of the instance and of upstreams with limits.
    whole buckets;
    served buckets[] := '{}';
    answers admission[] := '{}';
    refusals admission[];
    answer admission;
    -- What was admitted: the requests, the upstreams that were charged, the moments; and the rows after.
    admitted completion_ask[];
    sources text[];
    moments timestamptz[];
    changed buckets[];
    written bigint;
begin
    select * into guard from instance;
    is_guarded := guard.tokens_per_day is not null or guard.tokens_per_month is not null;
    scopes := users;
    if is_guarded then scopes := scopes || instance_scope(); end if;
    if '' <> any (upstreams) then
        scopes := scopes || array(
            select upstream_scope(name) from unnest(upstreams) as names, string_to_table(names, ',') as name where name <> '');
    end if;
    loop
        if is_locked then
            rows := array(select b from buckets b where b.scope = any (scopes) order by b.scope for no key update);
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
        sources := '{}';
        moments := '{}';
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
            -- Who was refused at the first look has no locked row.
            if is_locked and mine.scope is null then
                answers := answers || refusals[place];
                continue;
            end if;
            answer := judged(ask, mine, guard, whole);
            if answer.verdict = 'admitted' then
                answer.upstream := '';
                if served <> '{}' then answer.upstream := free_upstream(ask.candidates, served, ask.cost); end if;
                if answer.upstream is null then
                    answer.verdict := 'upstream_rate';
                    answer.wait := upstream_wait(ask.candidates, served, ask.cost);
                end if;
            end if;
            if answer.verdict = 'admitted' then
                mine := charged(mine, 1, 1, ask.cost, ask.cost, ask.cost);
                is_charged := true;
                if is_guarded then whole := charged(whole, 1, 1, ask.cost, ask.cost, ask.cost); end if;
                if answer.upstream <> '' then
                    served := array(
                        select case when s.scope = upstream_scope(answer.upstream)
                            then charged(s, 1, 1, ask.cost, ask.cost, ask.cost) else s end
                        from unnest(served) as s);
                end if;
                answer.request_units := mine.request_units;
                answer.token_units := mine.token_units;
                answer.in_flight := mine.in_flight;
                admitted := admitted || ask;
                sources := sources || answer.upstream;
                moments := moments || mine.at;
            end if;
            answers := answers || answer;
        end loop;
        if is_charged then changed := changed || mine; end if;
        if is_guarded then changed := changed || whole; end if;
        changed := changed || served;
        exit when cardinality(admitted) = 0 or is_locked;
        scopes := array(select c.scope from unnest(changed) as c);
        is_locked := true;
    end loop;

    if cardinality(admitted) > 0 then
        insert into reservations (
            completion_id, user_id, process_id, reserved_tokens, model, preset_id, max_tokens, prompt_tokens, charges_instance,
            upstream, created_at)
        select completion_id, user_id, holder, cost, model, preset_id, max_tokens, 0, is_guarded, nullif(source, ''), moment
        from unnest(admitted, sources, moments) as a (
            place, completion_id, user_id, model, preset_id, candidates, is_live, is_repeated, limits, max_tokens, cost, source, moment)
        order by completion_id
        on conflict do nothing;
        get diagnostics written = row_count;
        -- Another transaction has taken one of the ids since it was looked for.
        if written < cardinality(admitted) then
            raise exception 'a completion id was taken meanwhile' using errcode = 'serialization_failure';
        end if;
        perform write_buckets(changed);
    end if;
    return query select * from unnest(answers);
end
$$;

-- Takes one request and no tokens, if there is one, for a request that was refused after its sender was known. The answer is what is
-- left; none where there is no such user.
create function charge_request(sender uuid) returns table (
    requests_per_minute bigint, request_units bigint, tokens_per_minute bigint, token_units bigint
)
language plpgsql
as $$
#variable_conflict use_column
declare
    limits user_limits;
    mine buckets;
begin
    select * into limits from user_limits where user_id = sender;
    if not found then return; end if;
    select * into mine from buckets where scope = sender;
    mine := advanced(mine, limits.requests_per_minute, limits.tokens_per_minute, limits_clock());
    -- As with reservations: who has none left is not even locked.
    if mine.request_units >= 60000000 then
        select * into mine from buckets where scope = sender for no key update;
        mine := advanced(mine, limits.requests_per_minute, limits.tokens_per_minute, limits_clock());
        if mine.request_units >= 60000000 then
            mine := charged(mine, 0, 1, 0, 0, 0);
            perform write_buckets(array[mine]);
        end if;
    end if;
    return query select mine.requests_per_minute, mine.request_units, mine.tokens_per_minute, mine.token_units;
end
$$;

-- What a server's environment says of plan `default` and of upstreams with limits, written when it starts and where it differs.
create function declare_limits(
    requests_per_minute bigint, tokens_per_minute bigint, concurrent_streams bigint, max_tokens_cap bigint, max_tokens_default bigint,
    upstreams text[], upstream_requests bigint[], upstream_tokens bigint[]
) returns void
language plpgsql
as $$
begin
    insert into plans as p (name, requests_per_minute, tokens_per_minute, concurrent_streams, max_tokens_cap, max_tokens_default)
    values ('default', $1, $2, $3, $4, $5)
    on conflict (name) do update set
        requests_per_minute = $1, tokens_per_minute = $2, concurrent_streams = $3, max_tokens_cap = $4, max_tokens_default = $5,
        changed_at = now()
    where (p.requests_per_minute, p.tokens_per_minute, p.concurrent_streams, p.max_tokens_cap, p.max_tokens_default)
        is distinct from ($1, $2, $3, $4, $5);
    insert into buckets as b (scope, requests_per_minute, tokens_per_minute)
    select upstream_scope(name), requests, tokens from unnest($6, $7, $8) as given (name, requests, tokens)
    order by 1
    on conflict (scope) do update set
        requests_per_minute = excluded.requests_per_minute, tokens_per_minute = excluded.tokens_per_minute
    where (b.requests_per_minute, b.tokens_per_minute)
        is distinct from (excluded.requests_per_minute, excluded.tokens_per_minute);
end
$$;
