create function public.get_platform_health()
    returns public.tenantry_platform_health
    stable
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_migrations public.tenantry_tenant_migration_status;
    v_health public.tenantry_platform_health;
begin
    perform tenancy.require_platform_role('viewer');

    v_migrations := tenancy.migration_status();
    v_health.latest_version := v_migrations.latest_version;
    v_health.tenant_count := v_migrations.tenant_count;
    v_health.up_to_date := v_migrations.up_to_date;
    v_health.behind := v_migrations.behind;
    v_health.stuck := v_migrations.stuck;
    v_health.stuck_tenants := v_migrations.stuck_tenants;

    select (count(*) filter (where t.status = 'active'))::integer,
        (count(*) filter (where t.status = 'suspended'))::integer
    into v_health.active, v_health.suspended
    from tenancy.listed_tenants t;

    select coalesce(
        jsonb_agg(
            jsonb_build_object('version', m.version, 'name', m.name, 'tenants', t.tenants, 'pending', m.pending)
            order by m.pending
        ),
        '[]'
    )
    into v_health.versions
    from (
        select l.schema_version, count(*) as tenants from tenancy.listed_tenants l group by l.schema_version
    ) t
    join (
        select n.version, n.name, count(*) over (order by n.position desc) - 1 as pending
        from tenancy.tenant_migrations n
    ) m on m.version = t.schema_version;

    select coalesce(sum(s.bytes), 0)::bigint,
        coalesce(
            jsonb_agg(
                jsonb_build_object('schema_name', s.schema_name, 'display_name', s.display_name, 'bytes', s.bytes)
                order by s.place
            ) filter (where s.place <= 10),
            '[]'
        )
    into v_health.total_bytes, v_health.largest_tenants
    from (
        select t.schema_name, t.display_name, b.bytes,
            row_number() over (order by b.bytes desc, t.schema_name) as place
        from tenancy.listed_tenants t
        join tenancy.all_schema_bytes() b on b.schema_name = t.schema_name
    ) s;

    v_health.growth := tenancy.tenant_growth(90);

    select jsonb_build_object(
        'measured_at', m.measured_at,
        'tenants', m.tenant_count,
        'milliseconds', m.milliseconds,
        'limit_milliseconds', tenancy.cache_load_limit()
    )
    into v_health.cache_load
    from tenancy.cache_load_measurements m
    order by m.measured_at desc
    limit 1;

    select coalesce(
        jsonb_agg(
            jsonb_build_object('seconds', f.limit_seconds, 'tenants', f.tenants) order by f.limit_seconds
        ),
        '[]'
    )
    into v_health.cache_load_forecast
    from tenancy.cache_load_forecast() f;

    select to_jsonb(d) into v_health.dump_locks from tenancy.dump_locks() d;

    return v_health;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_platform_health() is
    'Returns the state of the platform: how many tenants there are and in which state, their '
    'versions, the tenants that are stuck, the largest tenants, the growth of the last 90 days, and '
    'how many tenants fit. It reads no row of a tenant, and measures nothing: the load of the schema '
    'cache is the last one that the doctor measured. Sizes are as of the '
    'last VACUUM or ANALYZE of each table. '
    'Callers: platform viewer. '
    'Errors: forbidden, not_authenticated, busy.';
