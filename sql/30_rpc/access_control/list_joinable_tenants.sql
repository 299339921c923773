create function public.list_joinable_tenants(page_size integer default 200, after text default null)
    returns setof public.tenantry_joinable_tenant
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_signed_in();
    perform tenancy.require_page_size(page_size);

    return query
    select j.schema_name, j.display_name, j.access_level
    from tenancy.joinable_tenants() j
    where j.schema_name > coalesce(list_joinable_tenants.after, '')
    order by j.schema_name
    limit page_size;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_joinable_tenants(integer, text) is
    'Lists the tenants that the caller may join with join_tenant, by name, one page at a time. '
    'It is empty for most callers, and for the service key. A page has up to page_size tenants, '
    'from 1 to 1,000; a page that is not full is the last one. For the next page, give the last '
    'name of this page as after. '
    'Callers: anyone signed in. '
    'Errors: invalid_request, not_authenticated, busy.';
