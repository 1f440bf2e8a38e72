set local lock_timeout = '3s';
set local statement_timeout = '30s';

-- How many presets the user has: counting rows inside the insert would let concurrent inserts pass the limit.
alter table users add column preset_count bigint not null default 0;

-- What a user keeps. The id may be the client's own (it saves offline), so it is unique only for its owner.
create table presets (
    owner_id uuid not null references users (id) on delete cascade,
    id uuid not null,
    name text not null,
    prompt text not null,
    -- The completion request without prompt, stream and ids, as the parser has accepted it: json, not jsonb, keeps the literals
    -- of its numbers.
    params json not null,
    version bigint not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (owner_id, id)
);

-- Pages go by this, newest first.
create index presets_page on presets (owner_id, created_at desc, id desc);
