create function public.revoke_schema_access(schema_name text, user_id uuid)
    returns public.user_schema_access
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    -- Read before the change, which may end the caller's own role.
    v_actor_role constant text := tenancy.actor_role(schema_name);
    v_tenant public.tenants;
    v_before public.user_schema_access;
begin
    v_tenant := tenancy.lock_tenant_to_revoke(schema_name, user_id);
    perform tenancy.require_argument('user_id', user_id::text);
    perform tenancy.require_revocable(schema_name, user_id);
    perform tenancy.require_other_admin(schema_name, user_id);

    v_before := tenancy.end_logged_access(v_tenant, user_id, v_actor_role);
    if v_before.user_id is null then
        raise exception 'User % has no access to tenant "%".', user_id, schema_name
            using errcode = 'PT404', detail = 'user_not_found',
                hint = 'There is nothing to revoke.';
    end if;

    return v_before;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.revoke_schema_access(text, uuid) is
    'Takes a user''s access to a tenant away and returns the access that ended. '
    'The change applies from the user''s next request on. Members may drop their own access, as by '
    'leave_tenant; the last active admin of a tenant keeps it, unless a platform admin calls. '
    'A tenant admin whose own access expires cannot take away access that ends later. '
    'Whoever was removed cannot join the tenant again by a domain, until somebody gives them access. '
    'Support access ends, too, as by close_support_access. '
    'If a platform admin calls, a statement that changes the tenant for more than 300 ms is '
    'cancelled, as by suspend_tenant. '
    'Callers: tenant admin, platform admin, oneself. '
    'Errors: invalid_request, tenant_not_found, user_not_found, last_tenant_admin, '
    'tenant_suspended, forbidden, not_authenticated, busy.';
