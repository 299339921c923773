create type public.tenant_status_report as (
    schema_name text,
    status public.tenant_status
);

comment on type public.tenant_status_report is 'Result of check_tenant_status.';
