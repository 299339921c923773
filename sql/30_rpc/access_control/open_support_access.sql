create function public.open_support_access(
    schema_name text,
    reason text,
    minutes integer default 60,
    access_level tenancy.access_level default 'read'
)
    returns public.user_schema_access
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => null);
    perform tenancy.require_supporter(schema_name);
    perform tenancy.lock_staff(v_user_id);
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);
    perform tenancy.require_text('reason', reason, 500, shortest => 3);
    perform tenancy.require_argument('access_level', access_level::text);
    if (minutes between 1 and 240) is not true then
        raise exception '"minutes" has to be a number from 1 to 240.'
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Support access can be opened again when it has ended.';
    end if;

    return tenancy.give_support_access(v_tenant, v_user_id, reason, minutes, access_level);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.open_support_access(text, text, integer, tenancy.access_level) is
    'Gives the calling member of the platform''s staff access to a tenant for some minutes, and returns that access. '
    'The access ends by itself after 1 to 240 minutes, at the latest with the caller''s platform role, and when '
    'it is closed, which an admin of the tenant can do at once. The reason has 3 to 500 '
    'characters. The tenant sees all of it in list_members and in get_admin_audit_log. Another '
    'call replaces one''s own support access. With the level admin the caller can change the '
    'tenant, but cannot give anybody access beyond that moment, and does not count as its admin. '
    'Callers: signed-in platform admin. '
    'Errors: invalid_request, tenant_not_found, member_exists, forbidden, not_authenticated, busy.';
