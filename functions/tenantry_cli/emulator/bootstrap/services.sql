-- What migrations name of Realtime, GraphQL, Vault and Database Webhooks. None of these services
-- runs here. What they need from the database exists, so that a migration applies.

create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;

create schema realtime authorization supabase_realtime_admin;
grant usage on schema realtime to postgres, anon, authenticated, service_role;

create table realtime.messages (
    topic text not null,
    extension text not null,
    payload jsonb,
    event text,
    private boolean default false,
    updated_at timestamp not null default now(),
    inserted_at timestamp not null default now(),
    id uuid not null default gen_random_uuid(),
    primary key (id, inserted_at)
);
alter table realtime.messages owner to supabase_realtime_admin;
alter table realtime.messages enable row level security;
grant select, insert, update on realtime.messages
    to postgres, anon, authenticated, service_role;

create function realtime.topic()
    returns text
    stable
    language sql
as $$
    select nullif(current_setting('realtime.topic', true), '')
$$;

-- Nobody listens. A trigger that sends a message succeeds.
create function realtime.send(
    payload jsonb, event text, topic text, private boolean default true
)
    returns void
    language plpgsql
as $$
begin
end
$$;

create function realtime.broadcast_changes(
    topic_name text,
    event_name text,
    operation text,
    table_name text,
    table_schema text,
    new record,
    old record,
    level text default 'ROW'
)
    returns void
    language plpgsql
as $$
begin
end
$$;

create schema supabase_functions authorization supabase_functions_admin;
grant usage on schema supabase_functions to postgres, anon, authenticated, service_role;

-- The trigger of a Database Webhook. The emulator sends no request.
create function supabase_functions.http_request()
    returns trigger
    language plpgsql
as $$
begin
    return new;
end
$$;

create schema graphql;
create schema graphql_public;
grant usage on schema graphql, graphql_public to postgres, anon, authenticated, service_role;
create schema pgsodium;
create schema pgbouncer authorization pgbouncer;

-- The secrets of Vault. They are not encrypted here.
create schema vault;
grant usage on schema vault to postgres, service_role;

create table vault.secrets (
    id uuid primary key default gen_random_uuid(),
    name text,
    description text not null default '',
    secret text not null,
    key_id uuid,
    nonce bytea,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create unique index secrets_name_idx on vault.secrets (name) where name is not null;

create view vault.decrypted_secrets as
select
    secrets.id,
    secrets.name,
    secrets.description,
    secrets.secret,
    secrets.secret as decrypted_secret,
    secrets.key_id,
    secrets.nonce,
    secrets.created_at,
    secrets.updated_at
from vault.secrets;

create function vault.create_secret(
    new_secret text,
    new_name text default null,
    new_description text default '',
    new_key_id uuid default null
)
    returns uuid
    security definer
    set search_path = ''
    language sql
as $$
    insert into vault.secrets (secret, name, description, key_id)
    values (new_secret, new_name, new_description, new_key_id)
    returning secrets.id
$$;

create function vault.update_secret(
    secret_id uuid,
    new_secret text default null,
    new_name text default null,
    new_description text default null,
    new_key_id uuid default null
)
    returns void
    security definer
    set search_path = ''
    language sql
as $$
    update vault.secrets
    set secret = coalesce(new_secret, secrets.secret),
        name = coalesce(new_name, secrets.name),
        description = coalesce(new_description, secrets.description),
        updated_at = now()
    where secrets.id = secret_id
$$;

revoke all on function vault.create_secret, vault.update_secret from public;
grant select, delete on vault.secrets, vault.decrypted_secrets to postgres, service_role;
grant execute on function vault.create_secret, vault.update_secret to postgres, service_role;

-- `create extension if not exists` finds these two, as on hosted Supabase: nothing is created.
insert into pg_catalog.pg_extension (
    oid, extname, extowner, extnamespace, extrelocatable, extversion
)
select
    pg_catalog.pg_nextoid('pg_catalog.pg_extension', 'oid', 'pg_extension_oid_index'),
    given.name,
    'postgres'::regrole,
    given.schema_name::regnamespace,
    false,
    given.version
from (
    values ('supabase_vault', 'vault', '0.3.1'), ('pg_graphql', 'graphql', '1.5.11')
) as given (name, schema_name, version);
