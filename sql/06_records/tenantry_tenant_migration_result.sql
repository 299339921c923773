create type public.tenantry_tenant_migration_result as (
    schema_name text,
    outcome tenancy.tenant_migration_outcome,
    version text,
    pending integer,
    sqlstate text,
    message text,
    rows_done bigint,
    rows_left bigint,
    seconds_left integer
);

comment on type public.tenantry_tenant_migration_result is 'Result of migrate_tenant.';
comment on column public.tenantry_tenant_migration_result.version is
    'The tenant migration that was applied or has failed; of a tenant that is up to date, its version.';
comment on column public.tenantry_tenant_migration_result.pending is 'Number of tenant migrations that this tenant still lacks.';
comment on column public.tenantry_tenant_migration_result.rows_done is
    'Of a backfill: the rows that it has changed so far.';
comment on column public.tenantry_tenant_migration_result.rows_left is
    'Of a backfill: an estimate of the rows that it has not read yet.';
comment on column public.tenantry_tenant_migration_result.seconds_left is
    'Of a backfill: an estimate from the last batch, without pauses between calls.';
