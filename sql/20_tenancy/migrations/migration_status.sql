create function tenancy.migration_status()
    returns public.tenantry_tenant_migration_status
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_latest constant text := tenancy.latest_tenant_version();
    v_status public.tenantry_tenant_migration_status;
begin
    v_status.latest_version := v_latest;
    select count(*), count(*) filter (where t.schema_version = v_latest)
    into v_status.tenant_count, v_status.up_to_date
    from public.tenants t;
    v_status.behind := v_status.tenant_count - v_status.up_to_date;
    select count(*) into v_status.stuck from tenancy.unfinished_migrations u;
    select coalesce(jsonb_agg(to_jsonb(u) order by u.schema_name), '[]') into v_status.stuck_tenants
    from (
        select * from tenancy.unfinished_migrations order by schema_name limit 20
    ) u;
    v_status.unreachable_tables := array(
        select u.table_name from tenancy.unreachable_tables('tenant_template') u
    );

    return v_status;
end;
$$;

comment on function tenancy.migration_status() is
    'The state of the tenant migrations, as get_migration_status returns it.';
