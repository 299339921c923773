create function tenancy.pool_status()
    returns public.tenantry_tenant_pool
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_latest constant text := tenancy.latest_tenant_version();
    v_settings tenancy.platform_settings;
    v_count integer;
    v_pool public.tenantry_tenant_pool;
begin
    select * into strict v_settings from tenancy.platform_settings;
    v_pool.pool_size := v_settings.pool_size;
    v_pool.surplus := cardinality(tenancy.surplus_pooled_tenants());
    select count(*) filter (where t.schema_version = v_latest and t.updated_at <= w.until),
        count(*) filter (where t.schema_version = v_latest and t.updated_at > w.until),
        count(*) filter (where t.schema_version <> v_latest),
        count(*)
    into v_pool.ready, v_pool.waiting, v_pool.behind, v_count
    from public.tenants t
    cross join (select now() - make_interval(secs => v_settings.pool_wait_seconds)) w (until)
    where t.status = 'pooled';
    v_pool.missing := greatest(v_settings.pool_size - v_count + v_pool.surplus, 0);
    v_pool.made := 0;
    v_pool.removed := 0;

    return v_pool;
end;
$$;

comment on function tenancy.pool_status() is
    'The state of the pool, as get_tenant_pool returns it.';
