-- The schemas of a Supabase database, before Auth and before any migration.

create schema extensions authorization postgres;
grant usage on schema extensions to anon, authenticated, service_role;
do $$
declare
    v_extension text;
begin
    -- Some builds of PostgreSQL lack the contributed modules.
    for v_extension in
        select name from pg_available_extensions where name in (
            'pgcrypto', 'uuid-ossp', 'pg_stat_statements', 'moddatetime'
        )
    loop
        execute format('create extension if not exists %I with schema extensions', v_extension);
    end loop;
end
$$;

-- The migration history belongs to `postgres`. Created here, because Auth would own it otherwise.
create schema supabase_migrations authorization postgres;

create schema auth authorization supabase_auth_admin;
grant usage on schema auth to anon, authenticated, service_role, postgres;
alter default privileges for role supabase_auth_admin in schema auth
    grant all on tables to postgres;
alter default privileges for role supabase_auth_admin in schema auth
    grant all on sequences to postgres;
alter default privileges for role supabase_auth_admin in schema auth
    grant all on routines to postgres;

grant usage on schema public to anon, authenticated, service_role;
grant all on schema public to postgres;

-- DDL statements of these kinds make PostgREST reload its schema cache, as on hosted Supabase. Others,
-- such as GRANT and CREATE POLICY, do not.
create function extensions.pgrst_ddl_watch()
    returns event_trigger
    language plpgsql
as $$
begin
    if exists (
        select
        from pg_catalog.pg_event_trigger_ddl_commands() as command
        where command.command_tag ~ concat(
            '^((CREATE|ALTER) (SCHEMA|TABLE|FOREIGN TABLE|VIEW|MATERIALIZED VIEW|FUNCTION|TYPE)',
            '|CREATE (TABLE AS|TRIGGER|RULE)|SELECT INTO|COMMENT)$'
        )
            and command.schema_name is distinct from 'pg_temp'
    ) then
        notify pgrst, 'reload schema';
    end if;
end
$$;

create function extensions.pgrst_drop_watch()
    returns event_trigger
    language plpgsql
as $$
begin
    if exists (
        select
        from pg_catalog.pg_event_trigger_dropped_objects() as dropped
        where not dropped.is_temporary
            and dropped.object_type in (
                'schema', 'table', 'foreign table', 'view', 'materialized view',
                'function', 'trigger', 'type', 'rule'
            )
    ) then
        notify pgrst, 'reload schema';
    end if;
end
$$;

create event trigger pgrst_ddl_watch on ddl_command_end
    execute function extensions.pgrst_ddl_watch();
create event trigger pgrst_drop_watch on sql_drop
    execute function extensions.pgrst_drop_watch();

-- On hosted Supabase, supautils lets `postgres` make event triggers. Their owner stays the
-- superuser here, so a change of the owner, as pg_dump writes it, is left out.
create function extensions.change_event_trigger(statement text)
    returns void
    security definer
    set search_path = public, extensions
    language plpgsql
as $$
begin
    if statement !~* '^(create|alter|drop)\s+event\s+trigger\s[^;]*$' then
        raise exception 'This is no statement on an event trigger: %', statement;
    end if;
    if statement !~* '\sowner\s+to\s' then
        execute statement;
    end if;
end
$$;
revoke all on function extensions.change_event_trigger from public;
grant execute on function extensions.change_event_trigger to postgres;
