create function public.set_access_requests(schema_name text, enabled boolean)
    returns public.tenantry_access_requests_setting
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_changed text;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_argument('enabled', enabled::text);

    if enabled then
        insert into tenancy.tenants_open_to_requests as o (schema_name)
        values (schema_name)
        on conflict on constraint tenants_open_to_requests_pkey do nothing
        returning o.schema_name into v_changed;
    else
        delete from tenancy.tenants_open_to_requests o
        where o.schema_name = set_access_requests.schema_name
        returning o.schema_name into v_changed;
    end if;

    if v_changed is not null then
        perform tenancy.log_action(
            'access.set_requests', v_tenant,
            jsonb_build_object('before', not enabled, 'after', enabled)
        );
    end if;

    return row(schema_name, enabled)::public.tenantry_access_requests_setting;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.set_access_requests(text, boolean) is
    'Lets users request access to a tenant, or no longer, and returns the setting. '
    'A tenant takes no requests unless this is called. A tenant that takes requests can be told '
    'from a missing one by everybody with a confirmed address. Open requests stay open. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, not_authenticated, '
    'busy.';
