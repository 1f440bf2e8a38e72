-- One row per login. It holds no usable bearer: of the newest refresh token and of its parent only the SHA-256 is here,
-- and what their secrets derive from (a random nonce, a signing key) is in the token and in SESSION_KEYS.
--
-- counter       generation of the newest refresh token
-- key_id        signing key that the newest one derives from, so that a lost answer can be given again
-- token_hash    SHA-256 of the newest one's secret
-- parent_hash   SHA-256 of the secret it replaced: good for the same answer until the newest is used
-- rotated_at    when the newest was first given; idle time counts from here
create table sessions (
    id uuid primary key,
    user_id uuid not null references users (id) on delete cascade,
    counter bigint not null default 0,
    key_id text not null,
    token_hash bytea not null,
    parent_hash bytea,
    created_at timestamptz not null default now(),
    rotated_at timestamptz not null default now(),
    revoked_at timestamptz,
    constraint sessions_token_hash_length check (octet_length(token_hash) = 32),
    constraint sessions_parent_hash_length check (octet_length(parent_hash) = 32)
) with (fillfactor = 80);

create index sessions_user_id on sessions (user_id);

-- Ended sessions are looked for by age, running ones for removal by age too.
create index sessions_revoked_at on sessions (revoked_at) where revoked_at is not null;
create index sessions_created_at on sessions (created_at);
