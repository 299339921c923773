create function public.leave_tenant(schema_name text)
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
    -- Read before the change, which ends the caller's own role.
    v_actor_role constant text := tenancy.actor_role(schema_name);
    v_tenant public.tenants;
    v_before public.user_schema_access;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => null, member => 'read');
    perform tenancy.require_other_admin(schema_name, v_user_id);

    v_before := tenancy.end_logged_access(v_tenant, v_user_id, v_actor_role);

    return v_before;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.leave_tenant(text) is
    'Ends the caller''s own access to a tenant and returns the access that ended. '
    'The change applies from the next request on. The last active admin of a tenant makes another '
    'member admin first, with transfer_admin; platform admins may leave in any case. To a former '
    'member the tenant does not exist. The profile stays. '
    'Callers: member. '
    'Errors: tenant_not_found, last_tenant_admin, tenant_suspended, forbidden, '
    'not_authenticated, busy.';
