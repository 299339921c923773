create function public.rename_tenant(schema_name text, display_name text)
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
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_text('display_name', display_name, 200, shortest => 1);
    if v_before.display_name = rename_tenant.display_name then
        return v_before;
    end if;

    update public.tenants t
    set display_name = rename_tenant.display_name, updated_at = now()
    where t.id = v_before.id
    returning * into v_after;

    perform tenancy.log_action(
        'tenant.rename', v_after,
        jsonb_build_object('before', v_before.display_name, 'after', v_after.display_name)
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.rename_tenant(text, text) is
    'Changes the display name of a tenant. '
    'The schema keeps its name. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';
