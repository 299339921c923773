create type public.tenant_status_report as (
    schema_name text,
    status public.tenant_status
);

comment on type public.tenant_status_report is 'The answer of check_tenant_status.';
