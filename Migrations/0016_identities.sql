set local lock_timeout = '3s';
set local statement_timeout = '30s';

-- Logging in through identity providers. Who somebody is there is the pair (issuer, subject), and nothing else: an e-mail address that a
-- provider tells joins no account.

-- An account that was made by a provider may have no address: none was told, or it is another account's. Replicas of before do not know
-- of that, but none of their users are such.
-- squawk-ignore ban-drop-not-null
alter table users alter column email drop not null;

-- Whom a provider means, and whose account that is.
create table identities (
    id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    issuer text not null,
    subject text not null,
    -- What the provider said at the last log-in, verified or not; shown to its owner alone.
    email text,
    created_at timestamptz not null default now(),
    last_used_at timestamptz not null default now(),
    constraint identities_subject_length check (octet_length(subject) between 1 and 255),
    constraint identities_issuer_subject_key unique (issuer, subject)
);

create index identities_user_id on identities (user_id);

-- Log-ins that have gone to a provider and not come back. The state is in addresses and the browser's secret in a cookie; here are
-- their hashes, and what the provider is asked for is derived from both. Good for ten minutes, once, in that browser.
create table login_attempts (
    state_hash bytea primary key,
    browser_hash bytea not null,
    provider text not null,
    -- Where the frontend wants to be called back, with a state of its own, and the challenge to which it has the verifier.
    redirect_uri text not null,
    frontend_state text,
    code_challenge text not null,
    -- Whence it came: so that one place cannot fill the table.
    network text not null,
    expires_at timestamptz not null default now() + interval '10 minutes'
);

create index login_attempts_expires_at on login_attempts (expires_at);
create index login_attempts_network on login_attempts (network);

-- Log-ins that have come back, until the frontend has exchanged its code: good for a minute, once.
create table login_codes (
    code_hash bytea primary key,
    code_challenge text not null,
    issuer text not null,
    subject text not null,
    email text,
    is_email_verified boolean not null,
    expires_at timestamptz not null default now() + interval '1 minute'
);

create index login_codes_expires_at on login_codes (expires_at);

-- Nonces of ID tokens that apps have brought: each is good once, and remembered for as long as a token with it could be believed.
create table used_nonces (
    nonce_hash bytea primary key,
    expires_at timestamptz not null
);

create index used_nonces_expires_at on used_nonces (expires_at);

select guard_rows('identities', 'user_id');
select guard_rows('login_attempts');
select guard_rows('login_codes');
select guard_rows('used_nonces');
grant select on identities to playground_app;

-- Notes a log-in that goes to a provider, unless so many from that network are under way.
create function begin_login(
    state bytea, browser bytea, provider text, redirect_uri text, frontend_state text, code_challenge text, network text, at_most bigint
) returns boolean
language plpgsql
as $$
begin
    insert into login_attempts (state_hash, browser_hash, provider, redirect_uri, frontend_state, code_challenge, network)
    select $1, $2, $3, $4, $5, $6, $7
    where (select count(*) from login_attempts a where a.network = $7 and a.expires_at > now()) < $8;
    return found;
end
$$;

-- Takes a log-in that has come back to the browser it went from; no row for any other.
create function take_login(state bytea, browser bytea, provider text)
returns table (redirect_uri text, frontend_state text, code_challenge text)
language plpgsql
as $$
begin
    return query
    delete from login_attempts a
    where a.state_hash = $1 and a.browser_hash = $2 and a.provider = $3 and a.expires_at > now()
    returning a.redirect_uri, a.frontend_state, a.code_challenge;
end
$$;

-- Makes a code good for the frontend's exchange.
create function issue_login_code(
    code bytea, code_challenge text, issuer text, subject text, email text, is_email_verified boolean
) returns void
language plpgsql
as $$
begin
    insert into login_codes (code_hash, code_challenge, issuer, subject, email, is_email_verified) values ($1, $2, $3, $4, $5, $6);
end
$$;

-- Takes a code, whether or not the verifier is the right one: a code that was tried with another is not tried again.
create function take_login_code(code bytea, code_challenge text) returns setof login_codes
language plpgsql
as $$
begin
    return query
    with taken as (
        delete from login_codes c where c.code_hash = $1 and c.expires_at > now() returning c.*
    )
    select t.* from taken t where t.code_challenge = $2;
end
$$;

-- The account of an identity, made where there is none and `may_register`. Its address is the identity's where that is verified and
-- nobody's else. Verdict: known, made or closed. `vouched_by` is the issuer.
create function account_of_identity(
    issuer text, subject text, address text, is_email_verified boolean, new_user uuid, new_identity uuid, may_register boolean
) returns table (verdict text, id uuid, email text, plan text, created_at bigint, vouched_by text)
language plpgsql
as $$
#variable_conflict use_column
declare
    owner uuid;
    result text := 'known';
begin
    -- Two first log-ins of one person at a time make one account.
    perform pg_advisory_xact_lock(hashtextextended($1 || ' ' || $2, 1868850531));
    update identities i set email = $3, last_used_at = now() where i.issuer = $1 and i.subject = $2 returning i.user_id into owner;
    if owner is null then
        if not $7 then
            return query select 'closed', null::uuid, null::text, null::text, null::bigint, $1;
            return;
        end if;
        owner := $5;
        result := 'made';
        insert into users (id, email, email_verified_at)
        values (owner, case when $4 then $3 end, case when $4 and $3 is not null then now() end) on conflict (email) do nothing;
        if not found then
            insert into users (id, email) values (owner, null);
        end if;
        insert into identities (id, user_id, issuer, subject, email) values ($6, owner, $1, $2, $3);
    end if;
    return query
    select result, u.id, u.email, u.plan, (extract(epoch from u.created_at) * 1000000)::bigint, $1 from users u where u.id = owner;
end
$$;

-- Exchanges a code for the account it stands for; verdict as above, no row where the code is no good.
create function redeem_login_code(code bytea, code_challenge text, new_user uuid, new_identity uuid, may_register boolean)
returns table (verdict text, id uuid, email text, plan text, created_at bigint, vouched_by text)
language plpgsql
as $$
#variable_conflict use_column
begin
    return query
    select a.*
    from take_login_code($1, $2) t,
        account_of_identity(t.issuer, t.subject, t.email, t.is_email_verified, $3, $4, $5) a;
end
$$;

-- The same for an ID token that an app has brought, whose nonce must not have been used before; no row where it was.
create function sign_in_identity(
    nonce bytea, remembered bigint, issuer text, subject text, address text, is_email_verified boolean, new_user uuid, new_identity uuid,
    may_register boolean
) returns table (verdict text, id uuid, email text, plan text, created_at bigint, vouched_by text)
language plpgsql
as $$
#variable_conflict use_column
begin
    insert into used_nonces (nonce_hash, expires_at) values ($1, now() + make_interval(secs => $2)) on conflict (nonce_hash) do nothing;
    if not found then
        return;
    end if;
    return query select a.* from account_of_identity($3, $4, $5, $6, $7, $8, $9) a;
end
$$;

-- Gives the identity that a code stands for to an account. Verdict: linked, in_use (it is another account's) or invalid.
create function link_identity(code bytea, code_challenge text, owner uuid, new_identity uuid)
returns table (verdict text, id uuid, issuer text, email text, created_at bigint)
language plpgsql
as $$
#variable_conflict use_column
declare
    taken login_codes;
    linked identities;
begin
    select * into taken from take_login_code($1, $2);
    if taken.code_hash is null then
        return query select 'invalid', null::uuid, null::text, null::text, null::bigint;
        return;
    end if;
    insert into identities (id, user_id, issuer, subject, email)
    select $4, u.id, taken.issuer, taken.subject, taken.email from users u where u.id = $3
    on conflict (issuer, subject) do update set last_used_at = now()
    returning * into linked;
    return query
    select case when linked.user_id = $3 then 'linked' else 'in_use' end, linked.id, linked.issuer, linked.email,
        (extract(epoch from linked.created_at) * 1000000)::bigint;
end
$$;

-- Takes an identity from its account, unless nothing else lets its owner in. Verdict: unlinked, last or missing.
create function unlink_identity(owner uuid, identity uuid) returns text
language plpgsql
as $$
declare
    has_password boolean;
begin
    -- Two at a time would each leave the other.
    select u.password_hash is not null into has_password from users u where u.id = $1 for update;
    if not exists (select from identities i where i.id = $2 and i.user_id = $1) then
        return 'missing';
    end if;
    if not has_password and not exists (select from identities i where i.user_id = $1 and i.id <> $2) then
        return 'last';
    end if;
    delete from identities i where i.id = $2 and i.user_id = $1;
    return 'unlinked';
end
$$;

-- Whoever sets a password by a link to an address that nobody had confirmed need not be who made the account: what that one could still
-- get in by goes.
create function address_claimed() returns trigger language plpgsql
as $$
begin
    delete from api_keys where user_id = new.id;
    delete from identities where user_id = new.id;
    return null;
end
$$;
select guard_task('address_claimed');
revoke execute on function address_claimed() from playground_app;
create trigger address_claimed after update of password_hash, email_verified_at on users
    for each row when (
        old.email_verified_at is null and new.email_verified_at is not null
        and old.password_hash is distinct from new.password_hash)
    execute function address_claimed();

-- Removes what is over.
create function purge_logins(at_most bigint) returns bigint
language plpgsql
as $$
declare
    removed bigint;
    total bigint := 0;
begin
    delete from login_attempts where state_hash in (
        select state_hash from login_attempts where expires_at < now() order by expires_at limit $1);
    get diagnostics removed = row_count;
    total := total + removed;
    delete from login_codes where code_hash in (
        select code_hash from login_codes where expires_at < now() order by expires_at limit $1);
    get diagnostics removed = row_count;
    total := total + removed;
    delete from used_nonces where nonce_hash in (
        select nonce_hash from used_nonces where expires_at < now() order by expires_at limit $1);
    get diagnostics removed = row_count;
    return total + removed;
end
$$;

select guard_task(task)
from unnest(array[
    'begin_login', 'take_login', 'issue_login_code', 'redeem_login_code', 'sign_in_identity', 'link_identity', 'unlink_identity',
    'purge_logins'
]::regproc[]) as task;
