create function tenancy.end_backfill(tenant public.tenants, migration tenancy.tenant_migrations)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_after public.tenants;
begin
    delete from tenancy.unfinished_backfills b where b.schema_name = tenant.schema_name;
    update public.tenants t
    set schema_version = migration.version, updated_at = now()
    where t.id = tenant.id
    returning * into strict v_after;

    return v_after;
end;
$$;

comment on function tenancy.end_backfill(public.tenants, tenancy.tenant_migrations) is
    'Gives a tenant the version of a backfill that has nothing left to do. Only under lock_tenant.';
