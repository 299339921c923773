create function public.join_tenant(schema_name text)
    returns public.user_schema_access
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    -- Read before the change, which gives the caller another role.
    v_actor_role constant text := tenancy.actor_role(schema_name);
    v_joinable tenancy.joinable_tenant;
    v_tenant public.tenants;
    v_after public.user_schema_access;
begin
    v_joinable := tenancy.lock_joinable(schema_name);
    select * into v_tenant from public.tenants t where t.schema_name = join_tenant.schema_name;

    -- Staff could vouch for the domain of their own addresses.
    perform tenancy.require_given_by_tenant(
        schema_name, v_caller.user_id, v_joinable.access_level, v_joinable.expires_at, giver => v_caller.user_id
    );
    v_after := tenancy.give_access(
        v_caller.user_id, schema_name, v_joinable.access_level, v_joinable.expires_at, granted_by => null
    );

    perform tenancy.log_action(
        'access.join', v_tenant,
        jsonb_build_object('after', to_jsonb(v_after), 'domain', v_joinable.domain),
        v_actor_role
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.join_tenant(text) is
    'Makes the caller a member of a tenant by the domain of their e-mail address, and returns the access. '
    'The domain of the address has to be a verified one of the tenant, not a subdomain of one, and '
    'Auth has to have confirmed the address. Of a user who signs in by SSO the provider counts, and '
    'not the address. The level is that of the domain. Whoever left the tenant gets no more than '
    'they had. Whoever was removed, or whose access has expired, cannot join until somebody gives '
    'them access. To everybody else the tenant does not exist, and neither does a suspended one. '
    'Platform staff cannot join. '
    'Callers: user of a domain. '
    'Errors: tenant_not_found, member_exists, forbidden, not_authenticated, busy.';
