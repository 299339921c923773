create function public.list_my_tenants(page_size integer default 200, after text default null)
    returns setof public.tenantry_tenant_membership
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller tenancy.caller;
begin
    v_caller := tenancy.require_signed_in();
    perform tenancy.require_page_size(page_size);

    return query
    select t.schema_name, t.display_name, t.status, a.access_level
    from public.user_schema_access a
    join public.tenants t on t.schema_name = a.schema_name
    where a.user_id = v_caller.user_id
        and (a.expires_at is null or a.expires_at > statement_timestamp())
        and a.schema_name > coalesce(list_my_tenants.after, '')
    order by a.schema_name
    limit page_size;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_my_tenants(integer, text) is
    'Lists the tenants to which the caller has access, by name, one page at a time. '
    'Suspended tenants are included. '
    'An expired grant is no access. The service key is a member of no tenant and gets an '
    'empty list. A page has up to page_size tenants, from 1 to 1,000; a page that is not full '
    'is the last one. For the next page, give the last name of this page as after. '
    'Callers: anyone signed in. '
    'Errors: invalid_request, not_authenticated, busy.';
