create function public.suspend_tenant(schema_name text, reason text default null)
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
    v_before := tenancy.lock_tenant_first(schema_name, platform => 'admin');

    perform tenancy.require_text('reason', reason, 1000);
    if v_before.status = 'suspended' then
        return v_before;
    end if;

    update public.tenants t
    set status = 'suspended', suspended_at = now(), suspension_reason = reason, updated_at = now()
    where t.id = v_before.id
    returning * into v_after;
    perform tenancy.apply_tenant_privileges(schema_name);

    perform tenancy.log_action(
        'tenant.suspend', v_after,
        jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_after))
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.suspend_tenant(text, text) is
    'Closes a tenant to everybody at once, the service key included. '
    'USAGE on the schema is revoked first, then every privilege in the schema. No row is '
    'lost. Repeating a call changes nothing, and the first reason stays. A suspension does '
    'not wait for others: a statement that changes the tenant for more than 300 ms is '
    'cancelled and answered with busy, and so is every such call from then on. '
    'Callers: platform admin. '
    'Errors: invalid_request, tenant_not_found, forbidden, not_authenticated, busy.';
