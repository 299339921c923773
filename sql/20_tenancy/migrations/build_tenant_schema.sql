create function tenancy.build_tenant_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_script constant text := tenancy.find_creation_script(schema_name);
begin
    perform tenancy.lock_shared_tables('tenant_template', 'share row exclusive');
    -- PostgREST receives notifications in the order of sending, and must know the new list of
    -- schemas before an event trigger on the first DDL statement makes it read the tables.
    perform pg_notify('pgrst', 'reload config');
    if v_script is not null then
        begin
            perform tenancy.run_creation_script(schema_name, v_script);
            return;
        exception
            when deadlock_detected or lock_not_available then
                raise;
            when others then
                -- Nothing of it is left. The replay names the migration that fails.
                raise log 'The creation script of the tenant template fails: %', sqlerrm;
        end;
    end if;

    execute format('create schema %I', schema_name);
    perform tenancy.replay_migrations(schema_name);
    perform tenancy.apply_tenant_privileges(schema_name);
end;
$$;

comment on function tenancy.build_tenant_schema(text) is
    'Creates a tenant''s schema at the version in its registry row, by the creation script or by replaying the tenant migrations. Names the migration that fails. Only in the transaction that inserts that row.';
