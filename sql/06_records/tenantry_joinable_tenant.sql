create type public.tenantry_joinable_tenant as (
    schema_name text,
    display_name text,
    access_level tenancy.access_level
);

comment on type public.tenantry_joinable_tenant is
    'A tenant that the caller may join, as list_joinable_tenants returns it.';
comment on column public.tenantry_joinable_tenant.access_level is 'The level that join_tenant gives.';
