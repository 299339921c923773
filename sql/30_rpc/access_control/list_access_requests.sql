create function public.list_access_requests(
    schema_name text,
    page_size integer default 50,
    after uuid default null
)
    returns setof public.tenantry_access_request
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_after timestamptz;
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_page_size(page_size);
    -- Its row stays for a week after it has ended.
    select r.created_at into v_after
    from tenancy.tenants_access_requests r
    where r.id = list_access_requests.after and r.schema_name = list_access_requests.schema_name;
    if after is not null and v_after is null then
        raise exception '"after" is the id of no request for access to tenant "%".', schema_name
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Send the id of the last request of a page, or begin again without it.';
    end if;

    return query
    select (tenancy.shown_request(r)).*
    from tenancy.tenants_access_requests r
    where r.schema_name = list_access_requests.schema_name
        and r.ended_at is null
        and (list_access_requests.after is null or (r.created_at, r.id) > (v_after, list_access_requests.after))
        and exists (select from tenancy.active_users u where u.id = r.user_id)
    order by r.created_at, r.id
    limit page_size;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_access_requests(text, integer, uuid) is
    'Lists the open requests for access to a tenant, oldest first, one page at a time. '
    'Those of users whom Auth has banned or deleted are left out. email is the address that Auth has '
    'confirmed, and provider says who vouches for it. A page has up to page_size requests, from 1 to '
    '1,000; a page that is not full is the last one. For the next page, give the id of the last '
    'request of this page as after. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
