create function public.close_support_access(schema_name text, user_id uuid default null)
    returns public.user_schema_access
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_user_id constant uuid := coalesce(user_id, (tenancy.caller()).user_id);
    -- Read before the change, which may end the caller's own role.
    v_actor_role constant text := tenancy.actor_role(schema_name);
    v_tenant public.tenants;
begin
    v_tenant := tenancy.lock_tenant_to_revoke(schema_name, v_user_id);
    perform tenancy.require_argument('user_id', v_user_id::text);
    if not exists (
        select from public.user_schema_access a
        where a.user_id = v_user_id
            and a.schema_name = close_support_access.schema_name
            and a.support_reason is not null
            and a.expires_at > statement_timestamp()
    ) then
        raise exception 'User % has no open support access to tenant "%".', v_user_id, schema_name
            using errcode = 'PT404', detail = 'user_not_found',
                hint = 'There is nothing to close. revoke_schema_access ends the access of a member.';
    end if;

    return tenancy.end_logged_access(v_tenant, v_user_id, v_actor_role);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.close_support_access(text, uuid) is
    'Ends the support access of a member of the platform''s staff at once, and returns the access that ended. '
    'Without user_id it is the caller''s own. The change applies from the next request on. If a '
    'platform admin calls for somebody else, a statement that changes the tenant for more than '
    '300 ms is cancelled, as by suspend_tenant. '
    'Callers: tenant admin, platform admin, oneself. '
    'Errors: invalid_request, tenant_not_found, user_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';
