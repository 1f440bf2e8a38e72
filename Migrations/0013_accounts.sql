set local lock_timeout = '3s';
set local statement_timeout = '60s';

-- What happens to accounts by mail: a lost password, an address to confirm or to change, an invitation.

alter table users
    -- When somebody followed a link that was sent to the account's address. Null: never, or the address is another since.
    add column email_verified_at timestamptz,
    -- Since when the operator lets nobody log in.
    add column disabled_at timestamptz;

grant select (email_verified_at, disabled_at) on users to playground_app;

-- squawk-ignore ban-drop-not-null
alter table usage alter column user_id drop not null;

-- Users who are gone, until nothing in the bill names them. What they had running at the end is billed after they have gone, hence the
-- time that they stay here.
create table deleted_users (
    id uuid primary key,
    deleted_at timestamptz not null default now()
);
select guard_rows('deleted_users');

-- Sessions that went with their users, for as long as an access token of theirs could live: replicas that did not hear of their end
-- ask for it.
create table deleted_sessions (
    id uuid primary key,
    deleted_at timestamptz not null default now()
);
create index deleted_sessions_deleted_at on deleted_sessions (deleted_at);
select guard_rows('deleted_sessions');

-- A link that was sent or printed and not used yet. What makes it good is signed by the servers (SESSION_KEYS) and stands nowhere here: of it
-- there is only the SHA-256.
create table account_links (
    id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    -- reset, verify, change or invite.
    purpose text not null,
    -- Whom it was sent to. A link to an address that the account has no more is worth nothing.
    email text not null,
    token_hash bytea not null,
    expires_at timestamptz not null,
    constraint account_links_token_hash_length check (octet_length(token_hash) = 32)
);

create index account_links_user_id on account_links (user_id);
create index account_links_expires_at on account_links (expires_at);
select guard_rows('account_links');

-- Mails to be sent. A row goes when a mail server has taken its mail, or when there is no hope left; whichever replica takes one has it for
-- two minutes, and should it die meanwhile, another sends the mail after that. So none is lost, and one may come twice.
--
-- What came from somebody who is not logged in is written down here without a look at who has an account: that is found out when the mail
-- is due, so that no request takes longer for an address that is known.
create table mail_outbox (
    id uuid primary key,
    -- reset_password, register, change_email, email_changed, password_changed or invitation.
    kind text not null,
    -- The account it is about; null where that is to be found by the address.
    user_id uuid references users (id) on delete cascade,
    -- Whom it goes to.
    email text not null,
    -- Of email_changed: what the account's address is now.
    new_email text,
    attempts bigint not null default 0,
    due_at timestamptz not null default now(),
    created_at timestamptz not null default now()
);

create index mail_outbox_due_at on mail_outbox (due_at);
create index mail_outbox_user_id on mail_outbox (user_id);
create index mail_outbox_email on mail_outbox (email);
select guard_rows('mail_outbox');

-- The next mail that is due, which is the caller's for two minutes: with what it has become now that its time has come. An account that is
-- not there gets none. The last attempt is told, so that its failure is not kept to oneself.
create function take_mail(
    out id uuid, out kind text, out user_id uuid, out email text, out new_email text, out is_last boolean
)
language plpgsql
as $$
declare
    mail mail_outbox;
    owner users;
begin
    loop
        update mail_outbox o set attempts = o.attempts + 1, due_at = now() + interval '2 minutes'
        where o.id = (
            select d.id from mail_outbox d where d.due_at <= now() order by d.due_at limit 1 for no key update skip locked)
        returning o.* into mail;
        if mail.id is null then return; end if;

        select * into owner from users u
        where u.id = mail.user_id or (mail.user_id is null and u.email = mail.email);
        kind := case
            when owner.id is null then null
            when mail.kind = 'register' then case when owner.email_verified_at is null then 'verify_email' else 'account_exists' end
            when mail.kind = 'reset_password' and owner.disabled_at is not null then null
            when mail.kind = 'change_email' and exists (select from users u where u.email = mail.email and u.id <> owner.id)
                then 'account_exists'
            -- Their own address: it is confirmed once more.
            when mail.kind = 'change_email' and owner.email = mail.email then 'verify_email'
            else mail.kind
        end;
        exit when kind is not null;
        delete from mail_outbox o where o.id = mail.id;
    end loop;
    id := mail.id;
    user_id := owner.id;
    email := mail.email;
    new_email := mail.new_email;
    -- After 5 s, 15 s, 45 s and so on, at most an hour apart: seven hours in all.
    is_last := mail.attempts >= 13;
end
$$;
select guard_task('take_mail');

-- Makes a mail's link good, before the mail is sent: until `lifetime` from now. One that is sent again gets the same. One to another
-- address is made good only while its mail is to be sent: whoever withdraws that waits for this, and withdraws the link too.
create function arm_link(
    link uuid, owner uuid, purpose text, email text, token_hash bytea, lifetime interval
) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
    -- In the order in which accounts are deleted: first the user, then their mails.
    perform from users u where u.id = owner for key share;
    insert into account_links (id, user_id, purpose, email, token_hash, expires_at)
    select link, u.id, arm_link.purpose, arm_link.email, arm_link.token_hash, now() + lifetime from users u
    where u.id = owner
        and (arm_link.purpose <> 'change' or exists (select from mail_outbox o where o.id = link for key share))
    on conflict (id) do update set token_hash = excluded.token_hash, expires_at = excluded.expires_at;
end
$$;
select guard_task('arm_link');

-- A mail has been taken by a mail server, or is given up (`is_over`); or it is due again, each time three times as much later.
create function settle_mail(mail uuid, is_over boolean) returns void
language plpgsql
as $$
begin
    if is_over then
        delete from mail_outbox o where o.id = mail;
    else
        update mail_outbox o
        set due_at = now() + least(interval '5 seconds' * 3 ^ (least(o.attempts, 10) - 1), interval '1 hour')
        where o.id = mail;
    end if;
end
$$;
select guard_task('settle_mail');

-- Writes a mail down. For `register` and `reset_password` there is no owner; one that waits already is not written twice.
create function request_mail(mail uuid, kind text, owner uuid, email text) returns void
language plpgsql
as $$
#variable_conflict use_column
begin
    insert into mail_outbox (id, kind, user_id, email)
    select mail, request_mail.kind, owner, request_mail.email
    where not exists (
        select from mail_outbox o
        where o.kind = request_mail.kind and o.email = request_mail.email and o.user_id is not distinct from owner
            and o.attempts = 0);
end
$$;
select guard_task('request_mail');

-- Ends sessions of a user on every replica, all but `kept`; which they were.
create function end_sessions(owner uuid, kept uuid) returns uuid[]
language plpgsql
as $$
declare
    ended uuid[];
begin
    with gone as (
        update sessions s set revoked_at = now()
        where s.user_id = owner and s.revoked_at is null and s.id is distinct from kept
        returning s.id
    )
    select coalesce(array_agg(g.id), '{}') into ended from gone g;
    perform pg_notify('session_revoked', id::text) from unnest(ended) as id;
    return ended;
end
$$;

-- Another password stands for another holder: what the one before has asked for by mail, be it another password or another address,
-- comes to nothing.
create function void_links(owner uuid) returns void
language plpgsql
as $$
begin
    delete from mail_outbox o where o.user_id = owner and o.kind in ('change_email', 'reset_password', 'invitation');
    delete from account_links l where l.user_id = owner and l.purpose in ('change', 'reset', 'invite');
end
$$;
select guard_task('void_links');

-- The address that a link that sets a password was sent to; null where it is no good, or not any more.
create function password_link(link uuid, given_purpose text, given_hash bytea) returns text
language plpgsql stable
as $$
begin
    return (
        select l.email from account_links l
        where l.id = link and l.purpose = given_purpose and l.token_hash = given_hash and l.expires_at > now()
            and l.purpose in ('reset', 'invite'));
end
$$;
select guard_task('password_link');

-- Sets a password by a link, which is used up with all others that would set one or another address, and ends all sessions: whose,
-- and which they were; nulls where the link is no good. Who follows a link has shown that its address is theirs. The owner is told
-- by mail where there is mail.
create function use_password_link(
    link uuid, given_purpose text, given_hash bytea, new_password_hash text, notice uuid, out owner uuid, out ended uuid[]
)
language plpgsql
as $$
declare
    used account_links;
begin
    delete from account_links l
    where l.id = link and l.purpose = given_purpose and l.token_hash = given_hash and l.expires_at > now()
        and l.purpose in ('reset', 'invite')
    returning * into used;
    update users u
    set password_hash = new_password_hash, email_verified_at = coalesce(u.email_verified_at, now())
    where u.id = used.user_id and u.email = used.email
    returning u.id into owner;
    if owner is null then return; end if;
    perform void_links(owner);
    if notice is not null then
        insert into mail_outbox (id, kind, user_id, email) values (notice, 'password_changed', owner, used.email);
    end if;
    ended := end_sessions(owner, null);
end
$$;
select guard_task('use_password_link');

-- Confirms an address by a link, or makes it the account's: whose, and done, taken (by another account meanwhile) or invalid. With another address
-- all other links of the account are worth nothing, and the old address is told.
create function use_email_link(
    link uuid, given_purpose text, given_hash bytea, notice uuid, out owner uuid, out verdict text
)
language plpgsql
as $$
declare
    used account_links;
    old_email text;
begin
    verdict := 'invalid';
    delete from account_links l
    where l.id = link and l.purpose = given_purpose and l.token_hash = given_hash and l.expires_at > now()
        and l.purpose in ('verify', 'change')
    returning * into used;
    if used.purpose = 'verify' then
        update users u set email_verified_at = coalesce(u.email_verified_at, now())
        where u.id = used.user_id and u.email = used.email
        returning u.id into owner;
    elsif used.purpose = 'change' then
        select u.id, u.email into owner, old_email from users u where u.id = used.user_id for update;
        begin
            update users u set email = used.email, email_verified_at = now() where u.id = owner;
        exception when unique_violation then
            verdict := 'taken';
            return;
        end;
        delete from account_links l where l.user_id = owner;
        -- An account that an identity provider made may have had none.
        insert into mail_outbox (id, kind, user_id, email, new_email)
        select notice, 'email_changed', owner, old_email, used.email where old_email is not null;
    end if;
    if owner is not null then verdict := 'done'; end if;
end
$$;
select guard_task('use_email_link');

-- Deletes an account with everything of its user; the sessions that ended, or null where there is no such user. The bills stay, and are
-- nobody's from here on, as `forget_users` goes over them.
create function delete_account(owner uuid) returns uuid[]
language plpgsql
as $$
declare
    address text;
    digest text;
    ended uuid[];
begin
    -- Nobody logs in from here on.
    select u.email into address from users u where u.id = owner for update;
    if not found then return null; end if;
    ended := end_sessions(owner, null);
    insert into deleted_sessions (id)
    select s.id from sessions s where s.user_id = owner and s.revoked_at > now() - interval '1 hour'
    on conflict do nothing;
    -- What counts log-ins knows accounts by this.
    digest := rtrim(encode(sha256(convert_to(address, 'UTF8')), 'base64'), '=');
    delete from login_networks n where n.account = digest;
    delete from attempt_windows w where w.scope in ('login_account', 'mail_account') and w.subject = digest;
    delete from mail_outbox o where o.email = address;
    delete from users u where u.id = owner;
    insert into deleted_users (id) values (owner) on conflict do nothing;
    return ended;
end
$$;
select guard_task('delete_account');

-- Takes users who are gone out of the bills, so many bills at a time; whether there are more. A user is done with an hour after they
-- have gone, when nothing of theirs can be running.
create function forget_users(most bigint) returns boolean
language plpgsql
as $$
declare
    forgotten bigint;
begin
    update usage g set user_id = null, preset_id = null
    from (
        select u.completion_id, u.started_at from deleted_users d join usage u on u.user_id = d.id limit most
    ) as named
    where g.completion_id = named.completion_id and g.started_at = named.started_at;
    get diagnostics forgotten = row_count;
    if forgotten >= most then return true; end if;
    delete from deleted_users d
    where d.deleted_at < now() - interval '1 hour'
        and not exists (select from reservations r where r.user_id = d.id)
        and not exists (select from usage u where u.user_id = d.id);
    delete from deleted_sessions where deleted_at < now() - interval '1 hour';
    return false;
end
$$;
select guard_task('forget_users');

-- Removes links that nobody can follow any more, so many at most; how many.
create function purge_links(most bigint) returns bigint
language plpgsql
as $$
declare
    gone bigint;
begin
    delete from account_links
    where id in (select id from account_links where expires_at < now() order by expires_at limit most for update skip locked);
    get diagnostics gone = row_count;
    return gone;
end
$$;
select guard_task('purge_links');
