-- Who may log in. `email` is the identity: parsed and lower-cased (ASCII letters) by the server before it gets here.
-- A user without a password hash (a load-test user) cannot log in.
create table users (
    id uuid primary key,
    email text not null constraint users_email_key unique,
    password_hash text,
    plan text not null default 'default',
    created_at timestamptz not null default now(),
    constraint users_email_length check (octet_length(email) between 3 and 254),
    constraint users_password_hash_length check (octet_length(password_hash) <= 255)
);
