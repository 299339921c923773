create type public.tenantry_tenant_status_report as (
    schema_name text,
    status tenancy.tenant_status
);

comment on type public.tenantry_tenant_status_report is 'Result of check_tenant_status.';
