create type public.tenant_migration_status as (
    latest_version text,
    tenant_count integer,
    up_to_date integer,
    behind integer,
    failed integer
);

comment on type public.tenant_migration_status is 'Result of get_migration_status.';
comment on column public.tenant_migration_status.failed is
    'Tenants behind whose next migration has failed and was rolled back.';
