create function public.list_members(
    schema_name text,
    search text default null,
    sort text default 'email',
    page_size integer default 50,
    after text default null
)
    returns setof public.tenantry_member
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_after tenancy.list_place;
begin
    perform tenancy.require_permission(schema_name, platform => 'viewer', member => 'admin');
    perform tenancy.require_text('search', search, 200);
    perform tenancy.require_page_size(page_size);
    v_after := tenancy.require_list_place(
        sort, after,
        array['email', 'display_name', 'access_level', 'granted_at', 'last_sign_in_at'],
        key_pattern => '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    );

    return query
    select * from tenancy.member_page(
        schema_name, search, v_after, page_size, has_profiles => tenancy.is_row_reader(schema_name)
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_members(text, text, text, integer, text) is
    'Lists the members of a tenant, one page at a time. '
    'Members whose access has expired, and those whom Auth has banned or deleted, are included; '
    'is_active says who has access now. email is the address in Auth; of a member whose access '
    'has expired, it is the one in the tenant''s profile, if there is a profile. display_name is '
    'that of the profile. The platform''s staff reads no rows of tenants, so to them it is null, '
    'unless they are members. Support access is listed with its support_reason. search finds members whose address or display name contains this '
    'text, in upper or lower case; no character of it is a wildcard. sort is email, display_name, '
    'access_level, granted_at or last_sign_in_at (never is earliest), alone or with .asc or .desc '
    'behind it; members with the same value are in the order of their ids. A page has up to '
    'page_size members, from 1 to 1,000; a page that is not full is the last one. For the next '
    'page, give the cursor of the last member of this page as after, with the same search and '
    'sort. Every member who does not change meanwhile is on exactly one page. total_count is the '
    'number of members that match, on the first page alone. '
    'Callers: tenant admin, platform viewer. '
    'Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, not_authenticated, '
    'busy.';
