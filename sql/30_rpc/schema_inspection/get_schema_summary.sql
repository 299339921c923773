create function public.get_schema_summary(schema_name text)
    returns public.tenantry_schema_summary
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => 'viewer', member => 'read');

    return (
        select row(
            count(*),
            coalesce(sum(tenancy.row_estimate(t.relation)), 0)::bigint,
            coalesce(sum(tenancy.table_bytes(t.relation)), 0)::bigint
        )::public.tenantry_schema_summary
        from unnest(tenancy.table_oids(schema_name)) t (relation)
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_schema_summary(text) is
    'Returns how many tables a tenant has, about how many rows, and their size on disk. '
    'Callers: member, platform viewer. '
    'Errors: tenant_not_found, tenant_suspended, not_authenticated, busy.';
