set local lock_timeout = '3s';
set local statement_timeout = '30s';

-- What was answered to requests that create something and came with an `Idempotency-Key`, so that one that comes again creates
-- nothing more and is answered the same. A row lives for 25 hours; it goes with its user.
create table idempotency_keys (
    user_id uuid not null references users (id) on delete cascade,
    -- Method and path pattern: the same key on another route is another key.
    route text not null,
    key text not null,
    -- SHA-256 of the request's body.
    body_hash bytea not null,
    -- What the request creates gets this id, whichever attempt gets that far: the second one finds what the first has made.
    resource_id uuid not null,
    -- Who is at work. That of the first attempt is the resource's id.
    attempt_id uuid not null,
    -- Until then no other attempt begins, so that one whose process died does not hold the key for ever.
    lease_ends_at timestamptz not null,
    -- The answer, once there is one: status, header lines, body.
    status bigint,
    fields bytea,
    body bytea,
    created_at timestamptz not null default now(),
    primary key (user_id, route, key),
    constraint idempotency_keys_key_length check (octet_length(key) between 1 and 255),
    constraint idempotency_keys_body_hash_length check (octet_length(body_hash) = 32)
);

-- Rows are looked for by age when they go.
create index idempotency_keys_created_at on idempotency_keys (created_at);
