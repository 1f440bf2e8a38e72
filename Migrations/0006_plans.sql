set local lock_timeout = '3s';
set local statement_timeout = '60s';

-- What users, the instance and upstreams may spend, and the arithmetic of it.
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

-- Small, and the replicas of before do not run any more: the lock that a check of the rows takes harms nobody.
alter table users
    -- squawk-ignore constraint-missing-not-valid, adding-foreign-key-constraint
    add constraint users_plan foreign key (plan) references plans (name),
    -- What differs from the plan, by the names of its columns; a value of null lifts the limit.
    add column overrides jsonb not null default '{}' constraint users_overrides check (jsonb_typeof(overrides) = 'object');

-- A limit of a plan, as overridden.
create function limit_of(overrides jsonb, name text, planned bigint) returns bigint
language sql immutable parallel safe
as $$ select case when overrides ? name then (overrides ->> name)::bigint else planned end $$;

-- The texts of an array; null for anything else. A function, so that a query whose users override no models makes nothing ready for it.
create function texts_of(list jsonb) returns text[]
language plpgsql immutable parallel safe
as $$
begin
    if jsonb_typeof(list) <> 'array' then return null; end if;
    return (select array_agg(element) from jsonb_array_elements_text(list) as element);
end
$$;

-- What holds for each user.
create view user_limits as
select
    u.id as user_id,
    u.plan,
    limit_of(u.overrides, 'requests_per_minute', p.requests_per_minute) as requests_per_minute,
    limit_of(u.overrides, 'tokens_per_minute', p.tokens_per_minute) as tokens_per_minute,
    limit_of(u.overrides, 'concurrent_streams', p.concurrent_streams) as concurrent_streams,
    limit_of(u.overrides, 'max_tokens_cap', p.max_tokens_cap) as max_tokens_cap,
    coalesce(limit_of(u.overrides, 'max_tokens_default', p.max_tokens_default), d.max_tokens_default) as max_tokens_default,
    case when u.overrides ? 'models' then texts_of(u.overrides -> 'models') else p.models end as models,
    limit_of(u.overrides, 'tokens_per_day', p.tokens_per_day) as tokens_per_day,
    limit_of(u.overrides, 'tokens_per_month', p.tokens_per_month) as tokens_per_month
from users u join plans p on p.name = u.plan left join plans d on d.name = 'default';

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

-- squawk-ignore ban-drop-constraint
alter table buckets drop constraint buckets_user_id_fkey;
-- squawk-ignore renaming-column
alter table buckets rename column user_id to scope;
alter table buckets
    -- squawk-ignore ban-drop-not-null
    alter column requests_per_minute drop not null,
    -- squawk-ignore ban-drop-not-null
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

-- Writes rows that are locked, whose scopes are among these; the answer is how many there were.
--
-- Here and wherever an array says which rows are wanted, their keys are compared with the array itself too: a plan that was made
-- while a table was small joins the two the other way round, and once it is kept would read all of the table for ever.
create function write_buckets(scopes uuid[], changed buckets[]) returns bigint
language plpgsql
as $$
declare
    written bigint;
begin
    update buckets b set
        request_units = c.request_units, token_units = c.token_units, requests_per_minute = c.requests_per_minute,
        tokens_per_minute = c.tokens_per_minute, in_flight = c.in_flight, at = c.at, day = c.day, day_tokens = c.day_tokens,
        month = c.month, month_tokens = c.month_tokens
    from unnest(changed) as c
    where b.scope = c.scope and b.scope = any (scopes);
    get diagnostics written = row_count;
    return written;
end
$$;

-- Has the commit of this transaction not wait for the disk, where its rows had to be waited for, or are known to be in demand: the
-- next ones that wait get them at once, instead of each after another flush. Whoever called has to wait for the disk then, by a
-- commit of its own, before it believes that anything was done; what was built on it meanwhile cannot become durable without it,
-- because the log is written in order.
create function release_early(is_crowded boolean, waiting_since timestamptz) returns boolean
language plpgsql
as $$
begin
    if not is_crowded and clock_timestamp() - waiting_since < interval '1 millisecond' then return false; end if;
    perform set_config('synchronous_commit', 'off', true);
    return true;
end
$$;

-- Microseconds until a bucket at `level` holds `units`.
create function wait_for(units bigint, level bigint, per_minute bigint) returns bigint
language sql immutable parallel safe
as $$ select case when units > level then (units - level + per_minute - 1) / per_minute else 0 end $$;

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

-- Microseconds from `clock` to a moment of UTC.
create function wait_until(moment timestamp, clock timestamptz) returns bigint
language sql immutable parallel safe
as $$ select (extract(epoch from (moment at time zone 'UTC') - clock) * 1000000)::bigint $$;

-- The clock of the limits. A function of its own, so that a test can stand in for time.
create function limits_clock() returns timestamptz language sql volatile
as $$ select clock_timestamp() $$;

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

-- Takes one request and no tokens, if there is one, for a request that was refused after its sender was known. The answer is what is
-- left; none where there is no such user.
create function charge_request(sender uuid) returns table (
    requests_per_minute bigint, request_units bigint, tokens_per_minute bigint, token_units bigint
)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
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
            perform write_buckets(array[sender], array[mine]);
        end if;
    end if;
    return query select mine.requests_per_minute, mine.request_units, mine.tokens_per_minute, mine.token_units;
end
$$;
