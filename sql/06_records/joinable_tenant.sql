create type tenancy.joinable_tenant as (
    schema_name text,
    display_name text,
    access_level tenancy.access_level,
    expires_at timestamptz,
    domain text
);

comment on type tenancy.joinable_tenant is
    'A tenant that the caller may join by the domain of their address or by their SSO provider.';
comment on column tenancy.joinable_tenant.expires_at is
    'When the access will end; not null only if the caller has left with access that was to end then.';
