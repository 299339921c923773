create function tenancy.require_tenant_domain(schema_name text, domain text)
    returns tenancy.tenants_domains
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_domain constant text := tenancy.require_domain(domain);
    v_found tenancy.tenants_domains;
begin
    select * into v_found
    from tenancy.tenants_domains d
    where d.schema_name = require_tenant_domain.schema_name and d.domain = v_domain;
    if v_found.domain is null then
        raise exception 'Tenant "%" has no domain "%".', schema_name, v_domain
            using errcode = 'PT404', detail = 'domain_not_found',
                hint = 'Look at list_tenant_domains, or add the domain with add_tenant_domain.';
    end if;

    return v_found;
end;
$$;

comment on function tenancy.require_tenant_domain(text, text) is
    'Returns a domain of a tenant (PT404 domain_not_found, PT422 invalid_request).';
