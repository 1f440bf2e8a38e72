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
