create function tenancy.build_tenant_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
    v_details text;
begin
    perform tenancy.lock_shared_tables('tenant_template', 'share row exclusive');
    -- PostgREST receives notifications in the order of sending, and must know the new list of
    -- schemas before an event trigger on the first DDL statement makes it read the tables.
    perform pg_notify('pgrst', 'reload config');
    execute format('create schema %I', schema_name);

    -- Up to the version in the registry row. migrate_tenant applies a migration that was
    -- registered after that row was written.
    for v_migration in
        select m.*
        from tenancy.tenant_migrations m
        where m.position <= (
            select c.position
            from public.tenants t
            join tenancy.tenant_migrations c on c.version = t.schema_version
            where t.schema_name = build_tenant_schema.schema_name
        )
            -- A migration that has only comments refreshes audit triggers, which are new here.
            and m.statements !~ '^(\s|--[^\n]*(\n|$))*$'
        order by m.position
    loop
        perform tenancy.apply_tenant_migration(schema_name, v_migration);
    end loop;
    v_migration := null;

    perform tenancy.apply_tenant_privileges(schema_name);
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        if v_migration.version is null then
            raise;
        end if;
        get stacked diagnostics v_details = pg_exception_detail;
        raise exception 'Tenant migration "%" fails in a new tenant: %', v_migration.version, sqlerrm
            using errcode = sqlstate, detail = v_details;
end;
$$;

comment on function tenancy.build_tenant_schema(text) is
    'Creates a tenant''s schema by replaying the tenant migrations up to the version in its registry row. Names the migration that fails. Only in the transaction that inserts that row.';
