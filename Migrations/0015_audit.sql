set local lock_timeout = '3s';
set local statement_timeout = '30s';

-- What happened to accounts: who, what, when, from where. Written by the servers, read by the operator's command, and outlives the
-- accounts it tells of. Nothing here opens anything: no password, no token, no hash of one, and no address of a stranger.
create table audit_events (
    id uuid primary key,
    -- By the database's clock, less the time that the event waited to be written.
    at timestamptz not null,
    -- When the last of `count` like events came.
    last_at timestamptz not null,
    kind text not null,
    -- succeeded, failed or throttled.
    outcome text not null,
    -- Who did it; null where nobody had shown who they are, and for the operator.
    actor_id uuid,
    -- Whose account it was done to.
    subject_id uuid,
    -- Stands for an e-mail address that had no account: a keyed hash.
    account text,
    session_id uuid,
    -- Null for what was done by the operator's command.
    address text,
    user_agent text,
    request_id uuid,
    detail text,
    -- How many like events from one place within a minute the row stands for; more than 1 for refusals only.
    count bigint not null default 1,
    constraint audit_events_lengths check (
        octet_length(kind) <= 64 and octet_length(outcome) <= 64 and octet_length(account) <= 64 and octet_length(address) <= 64
        and octet_length(user_agent) <= 256 and octet_length(detail) <= 512)
);

create index audit_events_at on audit_events (at, id);
create index audit_events_subject on audit_events (subject_id, at) where subject_id is not null;
create index audit_events_actor on audit_events (actor_id, at) where actor_id is not null;

-- Writes events, an array of objects. Who is meant by an e-mail address or a session is looked up here, so that a server need not,
-- and takes the same time for every address. What was written before only gets its new count.
create function record_audit_events(events jsonb) returns void
language plpgsql
as $$
begin
    insert into audit_events as a (
        id, at, last_at, kind, outcome, actor_id, subject_id, account, session_id, address, user_agent, request_id, detail, count)
    select distinct on (e.id)
        e.id,
        now() - e.age_us * interval '1 microsecond',
        now() - e.last_age_us * interval '1 microsecond',
        e.kind,
        e.outcome,
        case when e.is_own then s.subject_id else e.actor_id end,
        s.subject_id,
        case when s.subject_id is null then e.account end,
        e.session_id, e.address, e.user_agent, e.request_id, e.detail, e.count
    from jsonb_to_recordset(events) as e (
            id uuid, age_us bigint, last_age_us bigint, kind text, outcome text, actor_id uuid, is_own boolean, subject_id uuid,
            email text, account text, session_id uuid, address text, user_agent text, request_id uuid, detail text, count bigint)
        cross join lateral (
            select coalesce(
                e.subject_id,
                (select u.id from users u where u.email = e.email),
                (select l.user_id from sessions l where l.id = e.session_id)) as subject_id
        ) s
    order by e.id, e.count desc
    on conflict (id) do update set
        count = greatest(a.count, excluded.count), last_at = greatest(a.last_at, excluded.last_at);
end
$$;

-- Removes what is older than so many days, `most` at most; how many.
create function purge_audit_events(kept_days bigint, most bigint) returns bigint
language plpgsql
as $$
declare
    removed bigint;
begin
    delete from audit_events where id in (
        select id from audit_events where at < now() - kept_days * interval '1 day' order by at, id limit most);
    get diagnostics removed = row_count;
    return removed;
end
$$;

-- Servers write by the functions alone, and read nothing.
select guard_rows('audit_events');
select guard_task('record_audit_events');
select guard_task('purge_audit_events');
