create function public.check_tenant_status(schema_name text)
    returns public.tenantry_tenant_status_report
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(
        schema_name, platform => 'viewer', member => 'read', even_suspended => true
    );

    return (
        select row(t.schema_name, t.status)::public.tenantry_tenant_status_report
        from public.tenants t
        where t.schema_name = check_tenant_status.schema_name
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.check_tenant_status(text) is
    'Returns whether a tenant is active or suspended. '
    'Callers: member, member of a suspended tenant, platform viewer. '
    'Errors: tenant_not_found, not_authenticated, busy.';
