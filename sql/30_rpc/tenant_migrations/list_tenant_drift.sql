create function public.list_tenant_drift(
    after_schema_name text default null,
    page_size integer default 100
)
    returns setof public.tenantry_tenant_drift
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_names text[];
    v_has_more boolean;
begin
    perform tenancy.require_platform_role('admin');
    perform tenancy.require_page_size(page_size);

    v_names := array(
        select t.schema_name
        from public.tenants t
        where t.schema_name > coalesce(after_schema_name, '') and t.status <> 'pooled'
        order by t.schema_name
        limit page_size + 1
    );
    v_has_more := cardinality(v_names) > page_size;
    v_names := v_names[:page_size];

    return query
    with alike as materialized (
        select a.schema_name, a.example from tenancy.tenants_like_template(v_names) a
    ),
    examples as materialized (
        select e.example, exists (select from tenancy.grant_differences(e.example)) as has_drift
        from (select distinct a.example from alike a) e
    )
    select n.schema_name,
        case
            when e.example is null then exists (select from tenancy.tenant_drift(n.schema_name))
            else e.has_drift
                or exists (select from tenancy.unfinished_migrations u where u.schema_name = n.schema_name)
        end,
        n.place < cardinality(v_names) or v_has_more
    from unnest(v_names) with ordinality n (schema_name, place)
    left join alike a on a.schema_name = n.schema_name
    left join examples e on e.example = a.example
    order by n.place;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_tenant_drift(text, integer) is
    'Lists the tenants, by name, one page at a time, each with whether it differs from the '
    'reference schema at its version. '
    'Tenants of the pool are left out. '
    'get_schema_drift lists the differences of one tenant. A page has up to page_size tenants, '
    'from 1 to 1,000. has_more of the last tenant says whether there is a next page: give its '
    'name as after_schema_name. '
    'Callers: platform admin. '
    'Errors: invalid_request, forbidden, not_authenticated, busy.';
