create function public.get_tenant_pool()
    returns public.tenantry_tenant_pool
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_platform_role('viewer');

    return tenancy.pool_status();
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_tenant_pool() is
    'Returns how many tenants the pool has, and how many it should have. '
    'Callers: platform viewer. '
    'Errors: forbidden, not_authenticated, busy.';
