create function public.remove_tenant_domain(schema_name text, domain text)
    returns public.tenantry_tenant_domain
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_before tenancy.tenants_domains;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');
    v_before := tenancy.require_tenant_domain(schema_name, domain);

    delete from tenancy.tenants_domains d
    where d.schema_name = v_before.schema_name and d.domain = v_before.domain;

    perform tenancy.log_action(
        'access.remove_domain', v_tenant,
        jsonb_build_object('before', to_jsonb(tenancy.shown_domain(v_before)))
    );

    return tenancy.shown_domain(v_before);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.remove_tenant_domain(text, text) is
    'Removes a domain of a tenant, by which nobody can join any more, and returns it. '
    'Members who have joined by it stay members. If the domain is added again, it gets another '
    'TXT record and has to be verified again. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, domain_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';
