-- Other databases of the cluster may make the same role at this moment: whoever comes second waits for the first.
set local lock_timeout = '30s';
set local statement_timeout = '60s';

-- Beside the owner in every WHERE the database itself keeps users apart. The servers act as a role that owns nothing and cannot log
-- in; to it a user's rows exist only within a transaction that names the user. What has to be done before a user is known,
-- or for all of them, is a function each, which acts as the owner of the tables.

-- One role for all databases of a cluster: in each it holds what that one grants.
do $$
begin
    if to_regrole('playground_app') is null then
        create role playground_app nologin;
    end if;
exception
    when duplicate_object or unique_violation then null;
    when insufficient_privilege then
        raise exception 'there is no role playground_app, and % may not make it: run "create role playground_app nologin" as somebody who may, or give % the attribute CREATEROLE', current_user, current_user
            using errcode = 'insufficient_privilege';
end
$$;

set local lock_timeout = '3s';

-- From here on a function is the business of whoever it is granted to.
alter default privileges revoke execute on functions from public;

-- The user whose transaction this is; null where none is named. What is set for a transaction alone leaves an empty text behind.
create function current_tenant() returns uuid
language sql stable parallel safe
as $$ select nullif(current_setting('playground.tenant', true), '')::uuid $$;
grant execute on function current_tenant() to playground_app;

-- Closes a table but to its owner. With the name of the column that holds the user's id the servers get at the rows of the user whose
-- transaction it is, as far as they are granted the table. It is asked once a statement, hence the select.
create function guard_rows(guarded regclass, user_column text default null) returns void
language plpgsql
as $$
declare
    keeper regrole := (select relowner from pg_class where oid = guarded);
begin
    execute format('alter table %s enable row level security, force row level security', guarded);
    -- It is forced on the owner too, whom an own policy lets in.
    execute format('create policy owner on %s to %s using (true)', guarded, keeper);
    if user_column is not null then
        execute format('create policy tenant on %s to playground_app using (%I = (select current_tenant()))', guarded, user_column);
    end if;
end
$$;

-- Has a function act as the owner of the tables, whoever calls it and whatever that one's names stand for. The servers may call it.
create function guard_task(task regproc) returns void
language plpgsql
as $$
begin
    execute format('alter function %s security definer set search_path = public, pg_temp', task);
    execute format('revoke execute on function %s from public', task);
    execute format('grant execute on function %s to playground_app', task);
end
$$;

-- The tables of users' rows, and one that only functions get at.
select guard_rows('users', 'id');
select guard_rows('sessions', 'user_id');
select guard_rows('presets', 'owner_id');
select guard_rows('reservations', 'user_id');
select guard_rows('usage', 'user_id');
select guard_rows('buckets', 'scope');
select guard_rows('idempotency_keys', 'user_id');
select guard_rows('voided_attempts');
select guard_rows('login_networks');
select guard_rows('attempt_windows');
-- The parts of the bill: servers get at them by way of the whole alone.
select guard_rows(relid) from pg_partition_tree('usage') where relid <> 'usage'::regclass;

-- As before, and guarded like the other parts.
create or replace function make_usage_month(month date) returns void
language plpgsql
as $$
declare
    part text := to_char(month, '"usage_"YYYY_MM');
    starts timestamptz := utc_start(month);
    ends timestamptz := utc_start((month + interval '1 month')::date);
begin
    execute format('create table %I (like usage including all)', part);
    perform guard_rows(part::regclass);
    if exists (select from usage_other where started_at >= starts and started_at < ends) then
        lock table usage_other in access exclusive mode;
        execute format(
            'with moved as (delete from usage_other where started_at >= $1 and started_at < $2 returning *)
            insert into %I select * from moved', part) using starts, ends;
    end if;
    execute format('alter table usage attach partition %I for values from (%L) to (%L)', part, starts, ends);
end
$$;

-- What was made before belongs to nobody but its owner either. What extensions brought stays as it is.
do $$
declare
    made record;
begin
    for made in
        select oid::regprocedure as name from pg_proc p
        where pronamespace = 'public'::regnamespace and not exists (
            select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
    loop
        execute format('revoke execute on function %s from public', made.name);
    end loop;
end
$$;

-- Whoever reads it sees what the tables show to them.
alter view user_limits set (security_invoker = true);

-- What servers do with the rows of one user, who is named.
grant select, insert (id, email, password_hash), update (password_hash, preset_count) on users to playground_app;
grant select (id, user_id, created_at, rotated_at, revoked_at), insert (id, user_id, key_id, token_hash), update (revoked_at)
    on sessions to playground_app;
grant select, insert, update, delete on presets, idempotency_keys to playground_app;
grant select, update (stop_requested_at) on reservations to playground_app;
grant select on usage, buckets, user_limits to playground_app;
-- What is no user's.
grant select on plans, instance, schema_migrations to playground_app;
grant select, insert, update, delete on processes to playground_app;

-- The arithmetic in their statements.
grant execute on function
    limit_of(jsonb, text, bigint), texts_of(jsonb), advanced(buckets, bigint, bigint, timestamptz),
    refilled(bigint, bigint, timestamptz, timestamptz), full_level(), utc_day(timestamptz), utc_month(timestamptz), limits_clock()
    to playground_app;

-- From here on the tasks of servers before a user is known, or for all users.

-- What a log-in is judged by.
create function login_credentials(address text) returns table (id uuid, email text, plan text, created_at bigint, password_hash text)
language plpgsql stable
as $$
#variable_conflict use_column
begin
    return query select u.id, u.email, u.plan, (extract(epoch from u.created_at) * 1000000)::bigint, u.password_hash
        from users u where u.email = $1;
end
$$;

-- Decides about a presented refresh token under the lock of its session's row, so that of any number of concurrent uses over any
-- number of replicas one rotates and the others are told what it gave. `locked` reads the row as it is once the lock is
-- held, not as the statement's snapshot has it; the updates act on the verdict alone.
--
-- rotate: the newest token; its successor takes its place.
-- replay: the newest one's parent, while the newest was not used: its answer was lost, and is given again.
-- reuse: an older one, or the parent too late. Somebody has a copy: the session ends for both.
-- unknown: none of this session's, or one that cannot be vouched for any more.
create function refresh_session(
    session uuid, presented bigint, hash bytea, is_authentic boolean, next_hash bytea, next_key text
) returns table (id uuid, email text, plan text, created_at bigint, verdict text, key_id text, ends_in bigint)
language plpgsql
as $$
#variable_conflict use_column
begin
    return query
    with locked as (
        select id, user_id, counter, key_id, token_hash, parent_hash, revoked_at, rotated_at,
               created_at + interval '30 days' as ends_at
        from sessions where id = $1 for update
    ), judged as materialized (
        select *, case
            when revoked_at is not null then 'revoked'
            when now() >= least(ends_at, rotated_at + interval '7 days') then 'expired'
            when counter = $2 and token_hash = $3 then 'rotate'
            when counter = $2 + 1 and parent_hash = $3 and now() < rotated_at + interval '24 hours' then 'replay'
            when counter > $2 and ($4 or parent_hash = $3) then 'reuse'
            else 'unknown'
        end as verdict
        from locked
    ), rotated as (
        update sessions s set counter = s.counter + 1, parent_hash = s.token_hash, token_hash = $5, key_id = $6, rotated_at = now()
        from judged j where s.id = j.id and j.verdict = 'rotate'
        returning s.key_id, s.rotated_at
    ), ended as (
        update sessions s set revoked_at = now() from judged j where s.id = j.id and j.verdict = 'reuse'
        returning s.id
    ), told as materialized (
        select pg_notify('session_revoked', id::text) from ended
    )
    select u.id, u.email, u.plan, (extract(epoch from u.created_at) * 1000000)::bigint, j.verdict, coalesce(r.key_id, j.key_id),
        extract(epoch from least(j.ends_at, coalesce(r.rotated_at, j.rotated_at) + interval '7 days') - now())::bigint
    from judged j join users u on u.id = j.user_id left join rotated r on true left join told on true;
end
$$;

-- Ends the session that a refresh token of any generation belongs to. Answers its id if it was not ended before.
create function end_session_by_token(session uuid, hash bytea, is_authentic boolean) returns setof uuid
language plpgsql
as $$
begin
    return query
    with ended as (
        update sessions set revoked_at = now()
        where id = $1 and revoked_at is null and ($3 or token_hash = $2 or parent_hash = $2)
        returning id
    )
    select id from ended where pg_notify('session_revoked', id::text) is not null;
end
$$;

-- The sessions that were ended in the last so many seconds, with how long ago; latest first.
create function recently_revoked(seconds bigint, at_most bigint) returns table (session uuid, age bigint)
language plpgsql stable
as $$
begin
    return query
    select id, greatest(0, extract(epoch from now() - revoked_at))::bigint from sessions
    where revoked_at > now() - make_interval(secs => $1) order by revoked_at desc limit $2;
end
$$;

-- Removes sessions that nothing can refer to any more.
create function purge_sessions(at_most bigint) returns bigint
language plpgsql
as $$
declare
    removed bigint;
begin
    delete from sessions where id in (
        select id from sessions where created_at < now() - interval '31 days' order by created_at limit $1);
    get diagnostics removed = row_count;
    return removed;
end
$$;

-- Removes the oldest keys that have lived so many hours.
create function purge_idempotency_keys(hours bigint, at_most bigint) returns bigint
language plpgsql
as $$
declare
    removed bigint;
begin
    delete from idempotency_keys where (user_id, route, key) in (
        select user_id, route, key from idempotency_keys where created_at < now() - $1 * interval '1 hour'
        order by created_at limit $2);
    get diagnostics removed = row_count;
    return removed;
end
$$;

-- Notes what running completions have spent; those among them that their owners want stopped. A row that is being settled is left
-- alone.
create function note_progress(completions uuid[], prompts bigint[], outputs bigint[]) returns table (completion_id uuid, user_id uuid)
language plpgsql
-- As with `reserve_completions`.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
#variable_conflict use_column
begin
    return query
    with noted as (
        update reservations r set prompt_tokens = g.prompt_tokens, completion_tokens = g.completion_tokens
        from unnest($1, $2, $3) as g (completion_id, prompt_tokens, completion_tokens)
        where r.completion_id = g.completion_id and r.completion_id = any (array(
            select completion_id from reservations where completion_id = any ($1) for update skip locked))
        returning r.completion_id, r.user_id, r.stop_requested_at
    )
    select completion_id, user_id from noted where stop_requested_at is not null;
end
$$;

-- Completions of dead processes, if the asking process may call others dead. One that was admitted just now is left alone: its
-- process may be about to take its first lease.
create function orphaned_completions(asking uuid) returns table (
    completion_id uuid, prompt_tokens bigint, completion_tokens bigint, attempt uuid
)
language plpgsql stable
as $$
#variable_conflict use_column
begin
    return query
    select r.completion_id, r.prompt_tokens, r.completion_tokens, r.attempt
    from reservations r left join processes p on p.id = r.process_id
    where (p.id is null or p.expires_at < now())
        and r.created_at < now() - interval '30 seconds'
        and exists (
            select from processes
            where id = $1 and expires_at > now() and unbroken_since <= now() - interval '30 seconds')
    limit 500;
end
$$;

-- Removes voids that no admission can come after any more, and dead processes that have left nothing.
create function tidy_processes() returns void
language plpgsql
as $$
begin
    delete from voided_attempts where voided_at < now() - interval '10 minutes';
    delete from processes p
    where p.expires_at < now() - interval '10 minutes'
        and not exists (select from reservations where process_id = p.id);
end
$$;

select guard_task(task)
from unnest(array[
    'login_credentials', 'refresh_session', 'end_session_by_token', 'recently_revoked', 'purge_sessions', 'purge_idempotency_keys',
    'declare_limits', 'reserve_completions', 'charge_request', 'settle_completions', 'rehearse_limits', 'void_attempts',
    'note_progress', 'orphaned_completions', 'tidy_processes', 'maintain_usage', 'admit_login', 'admit_attempt', 'login_succeeded', 'login_undecided',
    'give_back_attempt', 'purge_login_networks', 'purge_attempt_windows'
]::regproc[]) as task;
-- A user's insertion makes the row of limits as well.
alter function keep_user_buckets() security definer set search_path = public, pg_temp;
