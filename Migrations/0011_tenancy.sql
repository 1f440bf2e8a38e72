-- Other databases of the cluster may make the same role at this moment: whoever comes second waits for the first.
set local lock_timeout = '30s';
set local statement_timeout = '60s';

-- Beside the owner in every WHERE the database itself keeps users apart. The servers act as a role that owns nothing and cannot log
-- in; to it a user's rows exist only within a transaction that names the user. What has to be done before a user is known,
-- or for all of them, is a function each, which acts as the owner of the tables.

-- One role for all databases of a cluster: in each it holds what that one grants.
do $$
begin
    if to_regrole('playground_app') is null then
        create role playground_app nologin;
    end if;
exception
    when duplicate_object or unique_violation then null;
    when insufficient_privilege then
        raise exception 'there is no role playground_app, and % may not make it: run "create role playground_app nologin" as somebody who may, or give % the attribute CREATEROLE', current_user, current_user
            using errcode = 'insufficient_privilege';
end
$$;

set local lock_timeout = '3s';

-- From here on a function is the business of whoever it is granted to.
alter default privileges revoke execute on functions from public;

-- The user whose transaction this is; null where none is named. What is set for a transaction alone leaves an empty text behind.
create function current_tenant() returns uuid
language sql stable parallel safe
as $$ select nullif(current_setting('playground.tenant', true), '')::uuid $$;
grant execute on function current_tenant() to playground_app;

-- Closes a table but to its owner. With the name of the column that holds the user's id the servers get at the rows of the user whose
-- transaction it is, as far as they are granted the table. It is asked once a statement, hence the select.
create function guard_rows(guarded regclass, user_column text default null) returns void
language plpgsql
as $$
declare
    keeper regrole := (select relowner from pg_class where oid = guarded);
begin
    execute format('alter table %s enable row level security, force row level security', guarded);
    -- It is forced on the owner too, whom an own policy lets in.
    execute format('create policy owner on %s to %s using (true)', guarded, keeper);
    if user_column is not null then
        execute format('create policy tenant on %s to playground_app using (%I = (select current_tenant()))', guarded, user_column);
    end if;
end
$$;

-- Has a function act as the owner of the tables, whoever calls it and whatever that one's names stand for. The servers may call it.
create function guard_task(task regproc) returns void
language plpgsql
as $$
begin
    execute format('alter function %s security definer set search_path = public, pg_temp', task);
    execute format('revoke execute on function %s from public', task);
    execute format('grant execute on function %s to playground_app', task);
end
$$;
