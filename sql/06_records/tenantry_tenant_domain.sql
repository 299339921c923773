create type public.tenantry_tenant_domain as (
    schema_name text,
    domain text,
    access_level tenancy.access_level,
    txt_name text,
    txt_value text,
    added_by uuid,
    created_at timestamptz,
    verified_by uuid,
    verified_at timestamptz
);

comment on type public.tenantry_tenant_domain is
    'A domain, or an SSO provider, whose users may join a tenant once it is verified.';
comment on column public.tenantry_tenant_domain.txt_name is
    'Where to publish the DNS TXT record that proves the domain; null for an SSO provider.';
comment on column public.tenantry_tenant_domain.txt_value is
    'The value of that TXT record; null for an SSO provider.';
comment on column public.tenantry_tenant_domain.verified_at is
    'When the domain was verified; null if it is not, and nobody can join by it.';
