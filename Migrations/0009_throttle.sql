set local lock_timeout = '3s';
set local statement_timeout = '30s';

-- How often somebody has tried in vain to log in, and how often to register: replicas slow guessing down together. An attempt is
-- counted before the password is hashed, and given back when it turns out to be none. Accounts are the SHA-256 of their e-mail
-- address, and nothing refers to `users`: an address without an account is treated exactly like one that has one.

-- What an account's log-ins from one network (/24 or /56) have come to.
create table login_networks (
    account text not null,
    network text not null,
    -- Since the last success; forgotten when a day has passed since `tried_at`.
    failures bigint not null,
    tried_at timestamptz not null,
    -- The last success: the network has a good history. Null: none, or too many others since.
    known_at timestamptz,
    -- When the row says nothing any more.
    expires_at timestamptz not null,
    primary key (account, network)
);

create index login_networks_expiry on login_networks (expires_at);

-- When the attempts were made that a limit counts, oldest first; never more of them than the limit allows.
create table attempt_windows (
    -- login_account, login_address or registration_address.
    scope text not null,
    subject text not null,
    instants timestamptz[] not null,
    expires_at timestamptz not null,
    primary key (scope, subject)
);

create index attempt_windows_expiry on attempt_windows (expires_at);

-- What slows guessing down is done before anybody is known, in functions. Each runs under the locks that the servers take before, so
-- what it sees is what counts.

-- Counts a log-in in all three places, or in none where one of them refuses. A network with a good history is asked for its own
-- delay and for its address, not for what strangers share. All times in microseconds, moments since 1970.
create function admit_login(
    account text, network text, address text, delays bigint[], forgotten bigint, by_strangers bigint, strangers_window bigint,
    by_address bigint, address_window bigint
) returns table (is_admitted boolean, wait bigint, told text, moment bigint, before bigint, failures bigint)
language plpgsql
as $$
#variable_conflict use_column
begin
    return query
    with moment as materialized (
        select clock_timestamp() as at
    ), standing as materialized (
        select m.at, n.known_at is not null as is_known, n.tried_at,
            case when n.tried_at > m.at - $5::bigint * interval '1 microsecond' then n.failures else 0 end as failures,
            array(
                select i from attempt_windows w, unnest(w.instants) i
                where w.scope = 'login_account' and w.subject = $1
                    and i > m.at - $7::bigint * interval '1 microsecond'
                order by i) as by_strangers,
            array(
                select i from attempt_windows w, unnest(w.instants) i
                where w.scope = 'login_address' and w.subject = $3
                    and i > m.at - $9::bigint * interval '1 microsecond'
                order by i) as by_address
        from moment m left join login_networks n on n.account = $1::text and n.network = $2::text
    ), free as materialized (
        -- When each limit lets the next one pass. A subscript outside the array gives null, which is no limit.
        select *,
            tried_at + ($4::bigint[])[least(failures, cardinality($4::bigint[]))::int] * interval '1 microsecond' as network_at,
            case when not is_known then
                by_strangers[cardinality(by_strangers) - $6::int + 1] + $7::bigint * interval '1 microsecond'
            end as account_at,
            by_address[cardinality(by_address) - $8::int + 1] + $9::bigint * interval '1 microsecond' as address_at
        from standing
    ), verdict as materialized (
        select *, greatest(at, network_at, account_at, address_at) as free_at from free
    ), network as (
        insert into login_networks (account, network, failures, tried_at, expires_at)
        select $1, $2, failures + 1, at, at + $5::bigint * interval '1 microsecond' from verdict where free_at <= at
        on conflict (account, network) do update set failures = excluded.failures, tried_at = excluded.tried_at,
            expires_at = greatest(login_networks.expires_at, excluded.expires_at)
    ), counted as (
        insert into attempt_windows (scope, subject, instants, expires_at)
        select 'login_account', $1, by_strangers || at, at + $7::bigint * interval '1 microsecond'
        from verdict where free_at <= at and not is_known
        union all
        select 'login_address', $3::text, by_address || at, at + $9::bigint * interval '1 microsecond'
        from verdict where free_at <= at
        on conflict (scope, subject) do update set instants = excluded.instants, expires_at = excluded.expires_at
    )
    select free_at <= at,
        (extract(epoch from free_at - at) * 1000000)::bigint,
        case free_at when network_at then 'network' when account_at then 'account' else 'address' end,
        (extract(epoch from at) * 1000000)::bigint,
        (extract(epoch from tried_at) * 1000000)::bigint,
        failures
    from verdict;
end
$$;

-- The same for what is counted in one place alone.
create function admit_attempt(scope text, subject text, attempts bigint, attempts_window bigint) returns table (
    is_admitted boolean, wait bigint, moment bigint
)
language plpgsql
as $$
#variable_conflict use_column
begin
    return query
    with moment as materialized (
        select clock_timestamp() as at
    ), standing as materialized (
        select m.at, array(
            select i from attempt_windows w, unnest(w.instants) i
            where w.scope = $1::text and w.subject = $2::text
                and i > m.at - $4::bigint * interval '1 microsecond'
            order by i) as by_subject
        from moment m
    ), verdict as materialized (
        select *, greatest(at, by_subject[cardinality(by_subject) - $3::int + 1] + $4::bigint * interval '1 microsecond')
            as free_at
        from standing
    ), counted as (
        insert into attempt_windows (scope, subject, instants, expires_at)
        select $1, $2, by_subject || at, at + $4::bigint * interval '1 microsecond'
        from verdict where free_at <= at
        on conflict (scope, subject) do update set instants = excluded.instants, expires_at = excluded.expires_at
    )
    select free_at <= at, (extract(epoch from free_at - at) * 1000000)::bigint, (extract(epoch from at) * 1000000)::bigint
    from verdict;
end
$$;

-- The password was right: the network has a good history from now on, and its failures are forgotten. Of the account's other networks
-- only the latest stay known.
create function login_succeeded(account text, network text, others bigint, known bigint, forgotten bigint) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
    with known as (
        insert into login_networks (account, network, failures, tried_at, known_at, expires_at)
        values ($1::text, $2::text, 0, now(), now(), now() + $4::bigint * interval '1 microsecond')
        on conflict (account, network) do update set failures = 0, known_at = excluded.known_at,
            expires_at = excluded.expires_at
    )
    update login_networks set known_at = null, expires_at = tried_at + $5::bigint * interval '1 microsecond'
    where account = $1 and network in (
        select network from login_networks where account = $1 and network <> $2 and known_at is not null
        order by known_at desc offset $3::bigint);
end
$$;

-- The password was never judged: the network's row is again what it was before the attempt. Where others came after, they keep their
-- delay.
create function login_undecided(account text, network text, moment bigint, before bigint, failures bigint) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
    with moment as materialized (
        select timestamptz 'epoch' + $3::bigint * interval '1 microsecond' as at,
            timestamptz 'epoch' + $4::bigint * interval '1 microsecond' as before
    ), removed as (
        delete from login_networks n using moment m
        where n.account = $1::text and n.network = $2::text and n.tried_at = m.at and m.before is null and n.known_at is null
    )
    update login_networks n set
        failures = case when n.tried_at = m.at then $5::bigint else greatest(n.failures - 1, 0) end,
        tried_at = case when n.tried_at = m.at then coalesce(m.before, m.at) else n.tried_at end
    from moment m
    where n.account = $1 and n.network = $2 and not (n.tried_at = m.at and m.before is null and n.known_at is null);
end
$$;

-- Takes one attempt out of what a limit has counted; where it is not there, nothing.
create function give_back_attempt(scope text, subject text, moment bigint) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
    with moment as materialized (
        select timestamptz 'epoch' + $3::bigint * interval '1 microsecond' as at
    ), removed as (
        delete from attempt_windows w using moment m
        where w.scope = $1::text and w.subject = $2::text and w.instants = array[m.at]
    )
    update attempt_windows w set instants = array_remove(w.instants, m.at) from moment m
    where w.scope = $1 and w.subject = $2 and w.instants <> array[m.at];
end
$$;

-- Remove rows that say nothing any more; how many.
create function purge_login_networks(at_most bigint) returns bigint
language plpgsql
as $$
declare
    removed bigint;
begin
    delete from login_networks where (account, network) in (
        select account, network from login_networks where expires_at < now()
        order by expires_at limit $1 for update skip locked);
    get diagnostics removed = row_count;
    return removed;
end
$$;

create function purge_attempt_windows(at_most bigint) returns bigint
language plpgsql
as $$
declare
    removed bigint;
begin
    delete from attempt_windows where (scope, subject) in (
        select scope, subject from attempt_windows where expires_at < now()
        order by expires_at limit $1 for update skip locked);
    get diagnostics removed = row_count;
    return removed;
end
$$;
