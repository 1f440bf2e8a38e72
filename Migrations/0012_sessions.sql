set local lock_timeout = '3s';
set local statement_timeout = '30s';

-- What people are shown of their sessions, so that they recognise one that is not theirs: where the latest log-in or refresh came from.
--
-- device    a few words made of the User-Agent field, such as `Firefox on Windows`
-- address   the client's, as trusted proxies tell it
alter table sessions
    add column device text constraint sessions_device_length check (octet_length(device) between 1 and 100),
    add column address inet;

-- Notes where a session is used from. Whoever has made or rotated it in this very transaction may say so: `now()` is the transaction's, and
-- no other row has it.
create function note_session_origin(session uuid, seen_device text, seen_address inet) returns void
language plpgsql
as $$
begin
    update sessions set device = seen_device, address = seen_address where id = session and rotated_at = now();
end
$$;
select guard_task('note_session_origin');

grant select (id, user_id, device, address, created_at, rotated_at, revoked_at), update (revoked_at) on sessions to playground_app;
-- A password is changed by its user.
grant select (id, email, password_hash), update (password_hash) on users to playground_app;
