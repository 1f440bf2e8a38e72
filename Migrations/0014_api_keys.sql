set local lock_timeout = '3s';
set local statement_timeout = '30s';

-- Keys that people make for their programs. A key is shown once; of it there is only the SHA-256, and its id is written in it. A key that is
-- revoked is gone from here.
create table api_keys (
    id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    name text not null,
    -- complete, presets, usage:read.
    scopes text[] not null,
    token_hash bytea not null,
    -- Null: only the owner's plan limits it.
    requests_per_minute bigint,
    -- Its bucket, in the units of `buckets`, as it was at `limited_at`.
    request_units bigint not null default full_level(),
    limited_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    -- Null: never.
    expires_at timestamptz,
    -- To the minute, a little late.
    last_used_at timestamptz,
    constraint api_keys_name_length check (char_length(name) between 1 and 100),
    constraint api_keys_scopes check (
        cardinality(scopes) between 1 and 8 and array_position(scopes, null) is null),
    constraint api_keys_token_hash_length check (octet_length(token_hash) = 32),
    constraint api_keys_requests check (requests_per_minute between 1 and 1000000)
) with (fillfactor = 80);

create index api_keys_user_id on api_keys (user_id, created_at, id);
select guard_rows('api_keys', 'user_id');
grant select (id, user_id, name, scopes, requests_per_minute, created_at, expires_at, last_used_at) on api_keys to playground_app;

-- Keys that ended within a day: what servers have in memory of them must not be believed any more. Those of a user also count against
-- making new ones.
create table ended_keys (
    key_id uuid not null,
    user_id uuid not null,
    ended_at timestamptz not null default now()
);

create index ended_keys_ended_at on ended_keys (ended_at);
create index ended_keys_user_id on ended_keys (user_id);
select guard_rows('ended_keys');

-- Tells every server that keys have ended, by the way that ended sessions take.
create function end_keys(keys uuid[], owners uuid[]) returns void
language plpgsql
as $$
begin
    insert into ended_keys (key_id, user_id) select key_id, user_id from unnest(keys, owners) as k (key_id, user_id);
    delete from ended_keys where ended_at < now() - interval '1 day';
    perform pg_notify('session_revoked', key_id::text) from unnest(keys) as k (key_id);
end
$$;
select guard_task('end_keys');
revoke execute on function end_keys(uuid[], uuid[]) from playground_app;

-- However a key goes: revoked by its owner, with its owner, or by hand.
create function keys_deleted() returns trigger language plpgsql
as $$
begin
    perform end_keys(array_agg(id), array_agg(user_id)) from gone having count(*) > 0;
    return null;
end
$$;
select guard_task('keys_deleted');
-- A trigger needs no grant to run, but whoever has one may have it run for rows of a table of their own.
revoke execute on function keys_deleted() from playground_app;
create trigger api_keys_deleted after delete on api_keys
    referencing old table as gone for each statement execute function keys_deleted();

-- The sessions and keys that were ended in the last so many seconds, with how long ago; latest first.
create or replace function recently_revoked(seconds bigint, at_most bigint) returns table (session uuid, age bigint)
language plpgsql stable
as $$
begin
    return query
    select e.id, greatest(0, extract(epoch from now() - e.at))::bigint
    from (
        (select s.id, s.revoked_at as at from sessions s
        where s.revoked_at > now() - make_interval(secs => $1) order by s.revoked_at desc limit $2)
        union all
        (select d.id, d.deleted_at from deleted_sessions d
        where d.deleted_at > now() - make_interval(secs => $1) order by d.deleted_at desc limit $2)
        union all
        (select k.key_id, k.ended_at from ended_keys k
        where k.ended_at > now() - make_interval(secs => $1) order by k.ended_at desc limit $2)
    ) e
    order by e.at desc limit $2;
end
$$;
select guard_task('recently_revoked');

-- Makes a key, with the event that tells of it. A user has 50 at most, and makes 100 a day at most.
-- The verdict is created, unknown_user, too_many or expired.
create function create_api_key(
    owner uuid, key uuid, key_name text, key_scopes text[], hash bytea, per_minute bigint, ends_at timestamptz, event jsonb,
    out verdict text, out made_at timestamptz
)
language plpgsql
as $$
begin
    verdict := 'unknown_user';
    -- Nobody else makes one of this user's meanwhile.
    perform from users where id = owner and disabled_at is null for no key update;
    if not found then return; end if;
    verdict := 'expired';
    if ends_at <= now() or ends_at > now() + interval '3660 days' then return; end if;
    verdict := 'too_many';
    if (select count(*) from api_keys where user_id = owner) >= 50
        or (select count(*) from api_keys where user_id = owner and created_at > now() - interval '1 day')
            + (select count(*) from ended_keys where user_id = owner and ended_at > now() - interval '1 day') >= 100
    then return; end if;
    insert into api_keys (id, user_id, name, scopes, token_hash, requests_per_minute, expires_at)
    values (key, owner, key_name, key_scopes, hash, per_minute, ends_at) returning created_at into made_at;
    perform record_audit_events(event);
    verdict := 'created';
end
$$;
select guard_task('create_api_key');

-- Revokes a user's key, with the event that tells of it; whether there was one.
create function revoke_api_key(owner uuid, key uuid, event jsonb) returns boolean
language plpgsql
as $$
begin
    delete from api_keys where id = key and user_id = owner;
    if not found then return false; end if;
    perform record_audit_events(event);
    return true;
end
$$;
select guard_task('revoke_api_key');

-- What a key that is presented may do; no row where there is none, or it is good no more.
create function find_api_key(key uuid) returns table (
    owner uuid, hash bytea, allowed text[], is_limited boolean, milliseconds_left bigint
)
language plpgsql stable
as $$
begin
    return query
    select k.user_id, k.token_hash, k.scopes, k.requests_per_minute is not null,
        (extract(epoch from k.expires_at - now()) * 1000)::bigint
    from api_keys k join users u on u.id = k.user_id
    where k.id = key and (k.expires_at is null or k.expires_at > now()) and u.disabled_at is null;
end
$$;
select guard_task('find_api_key');

-- Notes that keys were used, so many microseconds ago.
create function note_key_uses(keys uuid[], ages bigint[]) returns void
language plpgsql
as $$
begin
    update api_keys k set last_used_at = now() - u.age * interval '1 microsecond'
    from unnest(keys, ages) as u (key_id, age)
    where k.id = u.key_id and k.id in (
        select l.id from api_keys l
        where l.id = any (keys) and (l.last_used_at is null or l.last_used_at < now() - interval '1 minute')
        order by l.id for no key update skip locked);
end
$$;
select guard_task('note_key_uses');

-- Takes a request from a key's own limit, or tells how many microseconds there is none; and what is left of it.
create function take_key_request(key uuid, out is_taken boolean, out wait bigint, out per_minute bigint, out level bigint)
language plpgsql
as $$
declare
    mine api_keys;
    clock timestamptz;
begin
    is_taken := false;
    select * into mine from api_keys where id = key;
    if not found then return; end if;
    is_taken := mine.requests_per_minute is null;
    if is_taken then return; end if;
    per_minute := mine.requests_per_minute;
    clock := limits_clock();
    level := refilled(mine.request_units, per_minute, mine.limited_at, clock);
    -- Who is refused writes nothing, not even a lock.
    if level >= 60000000 then
        select * into mine from api_keys where id = key for no key update;
        if not found then return; end if;
        clock := limits_clock();
        level := refilled(mine.request_units, per_minute, mine.limited_at, clock);
        if level >= 60000000 then
            level := level - 60000000;
            update api_keys set request_units = level, limited_at = greatest(limited_at, clock) where id = key;
            is_taken := true;
        end if;
    end if;
    wait := wait_for(60000000, level, per_minute);
end
$$;
select guard_task('take_key_request');

-- Gives back a request that came to nothing.
create function give_back_key_request(key uuid) returns void
language plpgsql
as $$
begin
    update api_keys set request_units = least(requests_per_minute * 60000000, request_units + 60000000)
    where id = key and requests_per_minute is not null;
end
$$;
select guard_task('give_back_key_request');

-- The keys of who may not log in go, like their sessions: they do not come to life again with the account.
create function user_disabled() returns trigger language plpgsql
as $$
begin
    delete from api_keys where user_id = new.id;
    return null;
end
$$;
select guard_task('user_disabled');
revoke execute on function user_disabled() from playground_app;
create trigger user_disabled after update of disabled_at on users
    for each row when (old.disabled_at is null and new.disabled_at is not null) execute function user_disabled();
