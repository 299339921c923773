create function public.refresh_user_emails(schema_name text)
    returns public.tenantry_email_refresh
    volatile
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_refresh public.tenantry_email_refresh;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    v_refresh.schema_name := schema_name;
    v_refresh.refreshed := tenancy.refresh_emails(schema_name, at_most => 10000);

    if v_refresh.refreshed > 0 then
        -- Only the number, because platform staff read this log but no rows of tenants.
        perform tenancy.log_action(
            'profile.refresh', v_tenant,
            jsonb_build_object('refreshed', v_refresh.refreshed, 'changed', jsonb_build_array('email'))
        );
    end if;

    return v_refresh;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.refresh_user_emails(text) is
    'Copies the e-mail addresses that Auth has now into the profiles of a tenant, and returns how '
    'many changed. '
    'The table users of a tenant has a copy of each address. ensure_user_profile and '
    'get_user_profile refresh one copy, this call all of them. A call changes up to 10,000 '
    'profiles; repeat it while it returns that number. The profile of a user who is deleted '
    'or has no access keeps its address. '
    'Callers: tenant admin, platform admin. '
    'Errors: tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
