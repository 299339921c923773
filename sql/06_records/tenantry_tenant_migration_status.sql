create type public.tenantry_tenant_migration_status as (
    latest_version text,
    tenant_count integer,
    up_to_date integer,
    behind integer,
    pooled_behind integer,
    stuck integer,
    stuck_tenants jsonb,
    unreachable_tables text[],
    warnings text[]
);

comment on type public.tenantry_tenant_migration_status is
    'Result of get_migration_status, withdraw_tenant_migration and replace_tenant_migration.';
comment on column public.tenantry_tenant_migration_status.pooled_behind is
    'Tenants in the pool that are behind. The other numbers leave the pool out. list_tenants_behind lists them, too.';
comment on column public.tenantry_tenant_migration_status.stuck is
    'Tenants behind whose next migration has failed and was rolled back.';
comment on column public.tenantry_tenant_migration_status.stuck_tenants is
    'The first 20 of them by name, as {schema_name, version, sqlstate, message, stuck_since, failed_at, attempts}. list_tenants_behind lists all.';
comment on column public.tenantry_tenant_migration_status.unreachable_tables is
    'Tables of the template that no signed-in user can reach, because their policies let nobody in. The migration may have meant it so.';
comment on column public.tenantry_tenant_migration_status.warnings is
    'What the registration has warned of, for each migration that some tenant lacks: it locks tables for long, or could be phases.';
