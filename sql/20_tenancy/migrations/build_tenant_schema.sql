create function tenancy.build_tenant_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.lock_shared_tables('tenant_template', 'share row exclusive');
    -- PostgREST receives notifications in the order of sending, and must know the new list of
    -- schemas before an event trigger on the first DDL statement makes it read the tables.
    perform pg_notify('pgrst', 'reload config');
    execute format('create schema %I', schema_name);
    perform tenancy.replay_migrations(schema_name);
    perform tenancy.apply_tenant_privileges(schema_name);
end;
$$;

comment on function tenancy.build_tenant_schema(text) is
    'Creates a tenant''s schema by replaying the tenant migrations up to the version in its registry row. Names the migration that fails. Only in the transaction that inserts that row.';
