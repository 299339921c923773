create function public.list_tenant_domains(schema_name text)
    returns setof public.tenantry_tenant_domain
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');

    return query
    select (tenancy.shown_domain(d)).*
    from tenancy.tenants_domains d
    where d.schema_name = list_tenant_domains.schema_name
    order by d.domain;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_tenant_domains(text) is
    'Lists the domains and SSO providers of a tenant, verified or not, with their TXT records. '
    'A tenant has at most as many as platform_settings.max_domains says, 100 unless changed. '
    'Callers: tenant admin, platform admin. '
    'Errors: tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
