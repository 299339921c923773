create function tenancy.replay_migrations(schema_name text)
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
    -- Up to the version in the registry row. migrate_tenant applies a migration that was
    -- registered after that row was written.
    for v_migration in
        select m.*
        from tenancy.tenant_migrations m
        where m.position <= (
            select c.position
            from public.tenants t
            join tenancy.tenant_migrations c on c.version = t.schema_version
            where t.schema_name = replay_migrations.schema_name
        )
            -- A migration that has only comments refreshes audit triggers, which are new here.
            and m.statements !~ '^(\s|--[^\n]*(\n|$))*$'
            -- A new tenant has no rows.
            and m.phase <> 'backfill'
        order by m.position
    loop
        perform tenancy.apply_tenant_migration(schema_name, v_migration);
    end loop;
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

comment on function tenancy.replay_migrations(text) is
    'Applies the tenant migrations to a schema that has none of their objects, up to the version in its registry row. Names the migration that fails. apply_tenant_privileges sets the privileges afterwards. Only in the transaction that inserts that row.';
