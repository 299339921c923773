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
    select count(*) filter (where t.status <> 'pooled'),
        count(*) filter (where t.status <> 'pooled' and t.schema_version = v_latest),
        count(*) filter (where t.status = 'pooled' and t.schema_version <> v_latest)
    into v_status.tenant_count, v_status.up_to_date, v_status.pooled_behind
    from public.tenants t;
    v_status.behind := v_status.tenant_count - v_status.up_to_date;
    select count(*) into v_status.stuck
    from tenancy.unfinished_migrations u
    join public.tenants t on t.schema_name = u.schema_name
    where t.status <> 'pooled';
    select coalesce(jsonb_agg(to_jsonb(u) order by u.schema_name), '[]') into v_status.stuck_tenants
    from (
        select m.*
        from tenancy.unfinished_migrations m
        join public.tenants t on t.schema_name = m.schema_name
        where t.status <> 'pooled'
        order by m.schema_name
        limit 20
    ) u;
    v_status.unreachable_tables := array(
        select u.table_name from tenancy.unreachable_tables('tenant_template') u
    );
    v_status.warnings := array(
        select w.warning
        from tenancy.tenant_migrations m
        cross join lateral tenancy.registration_warnings(m.version, m.name, m.statements, m.limit_seconds) w (warning)
        where m.phase = 'change'
            and m.version !~ '^tenantry_'
            and m.position > (
                select min(r.position)
                from public.tenants t
                join tenancy.tenant_migrations r on r.version = t.schema_version
                where t.status <> 'pooled'
            )
        order by m.position
    );

    return v_status;
end;
$$;

comment on function tenancy.migration_status() is
    'The state of the tenant migrations, as get_migration_status returns it.';
