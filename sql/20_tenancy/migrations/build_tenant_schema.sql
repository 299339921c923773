create function tenancy.build_tenant_schema(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
begin
    -- Notifications arrive in the order of their sending: before the first DDL statement
    -- makes an event trigger ask for the tables, PostgREST has to be told of the new list.
    perform pg_notify('pgrst', 'reload config');
    execute format('create schema %I', schema_name);

    -- Not those registered since its row was written: the row says what it has.
    for v_migration in
        select m.*
        from tenancy.tenant_migrations m
        where m.version <= (
            select t.schema_version from public.tenants t where t.schema_name = build_tenant_schema.schema_name
        )
            -- One of comments alone is there to have the audit trail refreshed, which is new here.
            and m.statements !~ '^(\s|--[^\n]*(\n|$))*$'
        order by m.version
    loop
        perform tenancy.apply_tenant_migration(schema_name, v_migration);
    end loop;

    perform tenancy.apply_tenant_privileges(schema_name);
end;
$$;

comment on function tenancy.build_tenant_schema(text) is
    'Makes a tenant''s schema by replaying the tenant migrations up to the version in its registry row. Only in the transaction that writes that row.';
