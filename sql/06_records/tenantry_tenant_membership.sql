create type public.tenantry_tenant_membership as (
    schema_name text,
    display_name text,
    status tenancy.tenant_status,
    access_level tenancy.access_level
);

comment on type public.tenantry_tenant_membership is
    'One tenant of the caller, as list_my_tenants returns it.';
