create type public.tenant_migration_status as (
    latest_version text,
    tenant_count integer,
    up_to_date integer,
    behind integer,
    failed integer,
    unreachable_tables text[]
);

comment on type public.tenant_migration_status is 'Result of get_migration_status.';
comment on column public.tenant_migration_status.failed is
    'Tenants behind whose next migration has failed and was rolled back.';
comment on column public.tenant_migration_status.unreachable_tables is
    'Tables of the template that no signed-in user can reach, because their policies let nobody in. The migration may have meant it so.';
