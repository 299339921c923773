create function public.activate_tenant(schema_name text)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
begin
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);

    if v_before.status = 'active' then
        return v_before;
    end if;

    update public.tenants t
    set status = 'active', suspended_at = null, suspension_reason = null, updated_at = now()
    where t.id = v_before.id
    returning * into v_after;
    perform tenancy.apply_tenant_privileges(schema_name);

    perform tenancy.log_action(
        'tenant.activate', v_after,
        jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_after))
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.activate_tenant(text) is
    'Activates a suspended tenant, with exactly the privileges that it had. '
    'Repeating a call changes nothing. '
    'Callers: platform admin. '
    'Errors: tenant_not_found, forbidden, not_authenticated, busy.';
