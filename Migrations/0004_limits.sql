set local lock_timeout = '3s';
set local statement_timeout = '30s';

-- What a user may still spend, what is being spent right now, and what was spent.
--
-- Levels of buckets are whole numbers: one token is 60,000,000 units, so that a rate per minute refills a whole number of
-- units each microsecond and no rounding ever adds or loses a token.

-- One row holds all of a user's limits, so that one row lock decides an admission. It is changed only in the statement that
-- inserts or deletes the reservation concerned. Only the primary key is indexed and half of each page is kept free: every
-- update stays on its page (HOT).
create table buckets (
    user_id uuid primary key references users (id) on delete cascade,
    request_units bigint not null,
    token_units bigint not null,
    -- The rates at the last admission: settling needs no plan, so any replica can settle for any other.
    requests_per_minute bigint not null,
    tokens_per_minute bigint not null,
    in_flight bigint not null check (in_flight >= 0),
    -- When the levels were right. Never moves back, whatever the clock does.
    at timestamptz not null
) with (fillfactor = 50);

-- The processes that serve. One that no longer renews its row is dead, and the others settle what it left running.
create table processes (
    id uuid primary key,
    expires_at timestamptz not null,
    -- Since when the lease was renewed without a gap: who was cut off from the database itself may not call others dead.
    unbroken_since timestamptz not null
);

-- A completion that was admitted and is not settled yet. No foreign keys: settling must work after the user, the preset or the
-- process is gone.
create table reservations (
    completion_id uuid primary key,
    user_id uuid not null,
    -- Null marks a void: no admission may come under this id any more.
    process_id uuid,
    reserved_tokens bigint not null,
    model text not null,
    preset_id uuid,
    -- What was spent as far as is known; a dead process's completion is settled at this.
    prompt_tokens bigint not null default 0,
    completion_tokens bigint not null default 0,
    created_at timestamptz not null default now()
) with (fillfactor = 70);

create index reservations_process on reservations (process_id);

-- The bill: one row per completion, for good. It outlives the account, hence no foreign key.
create table usage (
    completion_id uuid primary key,
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
    finished_at timestamptz not null default now()
);

create index usage_user on usage (user_id, finished_at desc);

-- The level now of a bucket that stood at `level` at `since` and gains `per_minute` tokens a minute up to one minute's worth.
-- Of the time passed at most an hour counts, so that no product overflows at up to 1,000,000,000 a minute.
create function refilled(level bigint, per_minute bigint, since timestamptz) returns bigint
language sql stable parallel safe
as $$
    select least(
        per_minute * 60000000,
        level + per_minute * (extract(epoch from least(greatest(now() - since, interval '0'), interval '1 hour')) * 1000000)::bigint)
$$;
