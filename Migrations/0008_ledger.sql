set local lock_timeout = '3s';
set local statement_timeout = '10min';

-- What completions cost, and the bill in parts of a month each, so that what is older than its retention can be dropped.

-- Prices for a million tokens, in whatever currency the operator thinks. The one in force when a completion was admitted applies;
-- model `*` stands for all that have none of their own. What is left out costs what the tokens it is part of cost.
create table prices (
    model text not null,
    valid_from timestamptz not null,
    prompt numeric(20, 6) not null constraint prices_prompt check (prompt between 0 and 99999999999999.999999),
    completion numeric(20, 6) not null constraint prices_completion check (completion between 0 and 99999999999999.999999),
    cached numeric(20, 6) constraint prices_cached check (cached between 0 and 99999999999999.999999),
    reasoning numeric(20, 6) constraint prices_reasoning check (reasoning between 0 and 99999999999999.999999),
    primary key (model, valid_from)
);

-- What tokens cost at a price; exact. Of the prompt's tokens some were cached, of the completion's some were reasoning.
create function token_cost(p prices, prompt bigint, cached bigint, completion bigint, reasoning bigint) returns numeric
language sql immutable parallel safe
as $$
    select 0.000001 * (
        ($2 - least($3, $2)) * p.prompt + least($3, $2) * coalesce(p.cached, p.prompt)
        + ($4 - least($5, $4)) * p.completion + least($5, $4) * coalesce(p.reasoning, p.completion))
$$;

-- What a completion costs at the price that was in force for its model when it was admitted; null where there is none.
create function completion_cost(
    model text, admitted_at timestamptz, prompt bigint, cached bigint, completion bigint, reasoning bigint
) returns numeric
language plpgsql stable
as $$
begin
    return (
        select token_cost(p, $3, $4, $5, $6) from prices p
        where p.model in ($1, '*') and p.valid_from <= $2
        order by p.model = '*', p.valid_from desc
        limit 1);
end
$$;

-- Replicas of before do not run any more.
-- squawk-ignore renaming-table
alter table usage rename to usage_before;
-- squawk-ignore renaming-object
alter table usage_before rename constraint usage_pkey to usage_before_pkey;
-- squawk-ignore require-concurrent-index-deletion
drop index usage_user;

-- The bill: one row per completion. It outlives the account, hence no foreign key.
create table usage (
    completion_id uuid not null,
    user_id uuid not null,
    model text not null,
    preset_id uuid,
    prompt_tokens bigint not null,
    completion_tokens bigint not null,
    -- exact, counted or estimated: where the numbers come from.
    source text not null,
    -- done, stopped, failed, client_gone or process_lost.
    outcome text not null,
    finish_reason text,
    started_at timestamptz not null,
    finished_at timestamptz not null default now(),
    max_tokens_applied bigint,
    -- Those of the prompt's tokens that the upstream had cached, those of the completion's that were thought and not said.
    cached_tokens bigint not null default 0,
    reasoning_tokens bigint not null default 0,
    -- As the prices were when it was admitted; null where the model had none. Never changed by a later price.
    cost numeric,
    -- The name of the upstream that answered.
    upstream text,
    primary key (completion_id, started_at)
) partition by range (started_at);

-- Partial, so that it cannot be taken for anything but a user's bills: who looks for a completion's id while a month is young would
-- find this index as cheap as the key, and a plan that is kept would go on to read all of it when the month is full.
create index usage_user on usage (user_id, started_at desc, completion_id) where user_id is not null;

-- For what falls into no month that was made.
create table usage_other partition of usage default;

-- When a day begins.
create function utc_start(day date) returns timestamptz language sql immutable parallel safe
as $$ select day::timestamp at time zone 'UTC' $$;

-- Makes the part for a month, with whatever was billed for it before there was one.
create function make_usage_month(month date) returns void
language plpgsql
as $$
declare
    part text := to_char(month, '"usage_"YYYY_MM');
    starts timestamptz := utc_start(month);
    ends timestamptz := utc_start((month + interval '1 month')::date);
begin
    execute format('create table %I (like usage including all)', part);
    if exists (select from usage_other where started_at >= starts and started_at < ends) then
        lock table usage_other in access exclusive mode;
        execute format(
            'with moved as (delete from usage_other where started_at >= $1 and started_at < $2 returning *)
            insert into %I select * from moved', part) using starts, ends;
    end if;
    execute format('alter table usage attach partition %I for values from (%L) to (%L)', part, starts, ends);
end
$$;

-- Makes the parts for this month and the next ones, and drops those of which nothing is younger than `kept_months` before this
-- one, nor than the 35 days for which a completion is looked for; null keeps all. One at a time does it; whoever comes at the
-- same moment leaves it to them. The answer is whether there is more to drop: one part goes at a time.
--
-- Nobody is to wait for it. It gives up where a lock is not to be had at once (55P03). A part is made beside the table and then
-- attached, which stops neither readers nor writers of the others for longer than a look at `usage_other`; to drop one takes the
-- whole table for the length of a commit.
create function maintain_usage(kept_months int, ahead int default 3) returns boolean
language plpgsql
set lock_timeout = '100ms'
as $$
declare
    first date := utc_month(now());
    oldest date := least(first - make_interval(months => kept_months), utc_day(now()) - 35);
    month date;
    doomed text[];
begin
    if not pg_try_advisory_xact_lock(hashtext('maintain_usage')) then return false; end if;
    for i in 0 .. ahead loop
        month := first + make_interval(months => i);
        if to_regclass(to_char(month, '"usage_"YYYY_MM')) is null then perform make_usage_month(month); end if;
    end loop;
    if kept_months is null then return false; end if;

    delete from usage_other where started_at < utc_start(oldest);
    doomed := array(
        select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'usage'::regclass and c.relname ~ '^usage_[0-9]{4,}_[0-9]{2}$'
            and to_date(substr(c.relname, 7), 'YYYY_MM') + interval '1 month' <= oldest
        order by 1);
    if doomed <> '{}' then execute format('drop table %I', doomed[1]); end if;
    return cardinality(doomed) > 1;
end
$$;

do $$
declare
    month date;
begin
    for month in select distinct utc_month(started_at) from usage_before loop
        perform make_usage_month(month);
    end loop;
    perform maintain_usage(null);
end
$$;

insert into usage (
    completion_id, user_id, model, preset_id, prompt_tokens, completion_tokens, source, outcome, finish_reason, started_at, finished_at,
    max_tokens_applied)
select
    completion_id, user_id, model, preset_id, prompt_tokens, completion_tokens, source, outcome, finish_reason, started_at, finished_at,
    max_tokens_applied
from usage_before;
-- squawk-ignore ban-drop-table
drop table usage_before;

-- What a settlement gives back to a scope, or takes where it is negative.
create type bucket_change as (scope uuid, slots bigint, requests bigint, tokens bigint, admitted_at timestamptz);

-- Settles a batch: deletes the reservations, gives back or takes the difference to what was reserved, frees the slots and writes the
-- bills, or nothing of all that. A reservation of another attempt stays; a null attempt stands for whichever there is. A completion that is settled already stays as it is, but for one that was settled in the name
-- of a dead process whose own word comes after all: its bill and its buckets are put right. Without an outcome (a void) the
-- request comes back as well, and there is no bill.
--
-- Reservations, bills and buckets are locked before anything is read from them, in the order of their keys, so that two batches
-- cannot wait for each other in a circle. The buckets come last, when all that can be done without them is done: for as long as they
-- are locked nobody else is admitted by them. Only the reservations go after that: whoever asks for one of their ids at this moment
-- has the bucket locked, and waits for them. The answer has the completions that need no further attempt: what another transaction
-- settled at the same moment is not among them yet; and whether the commit has to be waited for before they count as settled.
create function settle_completions(
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
    clock timestamptz := limits_clock();
    is_late boolean;
    -- Completions with a reservation; those without whose process was called dead; those that were settled before.
    held uuid[];
    lost uuid[] := '{}';
    known uuid[] := '{}';
    is_guarded boolean := exists (
        select from instance where only_row and (tokens_per_day is not null or tokens_per_month is not null));
    changes bucket_change[];
    scopes uuid[];
    change record;
    mine buckets;
    changed buckets[] := '{}';
begin
    held := array(
        select r.completion_id
        from unnest(completions, attempts) as g (completion_id, attempt) join reservations r using (completion_id)
        where r.completion_id = any (completions) and (r.attempt = g.attempt or g.attempt is null)
        order by r.completion_id for update of r);
    if cardinality(held) < cardinality(completions) then
        known := array(select completion_id from usage where completion_id = any (completions) and started_at > recent);
        lost := array(
            select completion_id from usage
            where completion_id = any (known) and started_at > recent and outcome = 'process_lost'
            order by completion_id for update);
    end if;
    with given as materialized (
        select *
        from unnest(completions, prompts, outputs, cached, reasoning, sources, outcomes, reasons, models, upstreams) as given (
            completion_id, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, source, outcome, finish_reason, model,
            upstream)
    ), closed as materialized (
        select r.completion_id, r.user_id, r.model, r.preset_id, r.created_at, r.max_tokens, r.charges_instance, r.upstream,
            r.reserved_tokens, g.prompt_tokens as prompt, g.completion_tokens as completion, g.cached_tokens, g.reasoning_tokens, g.source,
            g.outcome, nullif(g.finish_reason, '') as finish_reason, nullif(g.model, '') as answered_model,
            nullif(g.upstream, '') as answered_upstream, r.reserved_tokens - g.prompt_tokens - g.completion_tokens as unspent
        from given g join reservations r using (completion_id)
        where r.completion_id = any (held)
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
                and b.completion_id = any (lost) and b.started_at > recent and g.outcome not in ('process_lost', '')
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

    clock := clock_timestamp();
    scopes := array(select distinct c.scope from unnest(changes) as c);
    perform from buckets where scope = any (scopes) order by scope for no key update;
    is_late := release_early(is_crowded, clock);
    delete from reservations where completion_id = any (held);
    clock := limits_clock();
    for change in
        select b, sum(c.slots)::bigint as slots, sum(c.requests)::bigint as requests, sum(c.tokens)::bigint as tokens,
            -- What was admitted on a day that is over is in no count any more.
            coalesce(sum(c.tokens) filter (where utc_day(c.admitted_at) >= greatest(b.day, utc_day(clock))), 0)::bigint as of_day,
            coalesce(sum(c.tokens) filter (where utc_month(c.admitted_at) >= greatest(b.month, utc_month(clock))), 0)::bigint as of_month
        from unnest(changes) as c join buckets b using (scope)
        where b.scope = any (scopes)
        group by b.scope
    loop
        mine := change.b;
        mine := advanced(mine, mine.requests_per_minute, mine.tokens_per_minute, clock);
        changed := changed
            || charged(mine, -change.slots, -change.requests, -change.tokens, -change.of_day, -change.of_month);
    end loop;
    perform write_buckets(scopes, changed);
    return query select id, is_late from unnest(held || known) as id;
end
$$;

-- Undoes attempts to be admitted that were given up before they were answered: one that was admitted is settled as a void, and one
-- that comes later is refused. The users' rows are locked first: who is being admitted at this moment holds them, and so has
-- either done it already, or will see that it may not.
create function void_attempts(attempts uuid[], completions uuid[], users uuid[]) returns void
language plpgsql
-- As with `reserve_completions`.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
declare
    ids uuid[];
    kept uuid[];
    zeros bigint[];
    blanks text[];
begin
    perform from buckets where scope = any (users) order by scope for no key update;
    insert into voided_attempts (attempt) select attempt from unnest(attempts) as attempt order by attempt on conflict do nothing;
    select array_agg(r.completion_id), array_agg(r.attempt) into ids, kept
    from unnest(completions, attempts) as g (completion_id, attempt) join reservations r using (completion_id, attempt)
    where r.completion_id = any (completions);
    if ids is null then return; end if;
    zeros := array_fill(0::bigint, array[cardinality(ids)]);
    blanks := array_fill(''::text, array[cardinality(ids)]);
    perform settle_completions(
        ids, kept, zeros, zeros, zeros, zeros, array_fill('exact'::text, array[cardinality(ids)]), blanks, blanks, blanks, blanks, false);
end
$$;

-- Admits and settles a completion of a user who is made for it, and takes all of it back. Postgres plans each statement of a function
-- when a connection first comes to it, which takes 20 ms in all here: that is done before anybody waits for it. Answers the verdict.
create function rehearse_limits() returns text
language plpgsql
-- Of these rows only the instance's is anybody's, and only where it has a budget.
set lock_timeout = '100ms'
as $$
declare
    somebody uuid := gen_random_uuid();
    completion uuid := gen_random_uuid();
    heard text;
begin
    begin
        insert into users (id, email) values (somebody, somebody || '@rehearsal.invalid');
        select verdict into heard from reserve_completions(
            gen_random_uuid(), array[completion], array[gen_random_uuid()], array[somebody], array[null::uuid], '{1}', '{1}',
            (select coalesce(models[1:1], '{*}') from plans where name = 'default'), array[null::uuid], '{""}', true, false);
        perform settle_completions(
            array[completion], array[null::uuid], '{1}', '{1}', '{0}', '{0}', '{exact}', '{done}', '{stop}', '{""}', '{""}', true);
        raise exception 'it was a rehearsal' using errcode = 'triggered_action_exception';
    exception
        when others then return coalesce(heard, sqlerrm);
    end;
end
$$;
