create type public.tenant_membership as (
    schema_name text,
    display_name text,
    status public.tenant_status,
    access_level public.access_level
);

comment on type public.tenant_membership is
    'One tenant of the caller, as list_my_tenants returns it.';
