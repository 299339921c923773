create function tenancy.shown_domain(domain tenancy.tenants_domains)
    returns public.tenantry_tenant_domain
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select row(
        domain.schema_name, domain.domain, domain.access_level,
        '_tenantry.' || case when domain.challenge is not null then domain.domain end,
        'tenantry-verification=' || domain.challenge,
        domain.added_by, domain.created_at, domain.verified_by, domain.verified_at
    )::public.tenantry_tenant_domain
    where domain.domain is not null;
$$;

comment on function tenancy.shown_domain(tenancy.tenants_domains) is
    'A domain of a tenant as replies and the audit log have it, with the TXT record that proves it; null without a domain.';
