create function public.list_tenant_drift(
    after_schema_name text default null,
    page_size integer default 100
)
    returns setof public.tenantry_tenant_drift
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_last text := coalesce(after_schema_name, '');
    v_names text[];
    v_has_more boolean;
    v_drifting text[];
begin
    perform tenancy.require_platform_role('admin');
    perform tenancy.require_page_size(page_size);

    loop
        v_names := array(
            select t.schema_name
            from public.tenants t
            where t.schema_name > v_last and t.status <> 'pooled'
            order by t.schema_name
            limit page_size + 1
        );
        v_has_more := cardinality(v_names) > page_size;
        v_names := v_names[:page_size];
        v_last := v_names[page_size];
        v_drifting := tenancy.drifting_tenants(v_names);

        -- Without the tenants that were deleted meanwhile.
        return query
        select t.schema_name, t.schema_name = any (v_drifting),
            v_has_more or lead(t.schema_name) over (order by t.schema_name) is not null
        from public.tenants t
        where t.schema_name = any (v_names)
        order by t.schema_name;
        -- An empty page would be taken for the end of the list.
        exit when found or not v_has_more;
    end loop;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_tenant_drift(text, integer) is
    'Lists the tenants, by name, one page at a time, each with whether it differs from the '
    'reference schema at its version. '
    'Tenants of the pool are left out, and so is a tenant that is deleted during the call. '
    'get_schema_drift lists the differences of one tenant. A page has up to page_size tenants, '
    'from 1 to 1,000. has_more of the last tenant says whether there is a next page: give its '
    'name as after_schema_name. '
    'Callers: platform admin. '
    'Errors: invalid_request, forbidden, not_authenticated, busy.';
