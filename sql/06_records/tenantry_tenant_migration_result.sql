create type public.tenantry_tenant_migration_result as (
    schema_name text,
    outcome tenancy.tenant_migration_outcome,
    version text,
    pending integer,
    sqlstate text,
    message text,
    name text,
    pass_number integer,
    rows_done bigint,
    rows_left bigint,
    seconds_left integer
);

comment on type public.tenantry_tenant_migration_result is 'Result of migrate_tenant.';
comment on column public.tenantry_tenant_migration_result.version is
    'The tenant migration that was applied or has failed; of a tenant that is up to date, its version.';
comment on column public.tenantry_tenant_migration_result.pending is 'Number of tenant migrations that this tenant still lacks.';
comment on column public.tenantry_tenant_migration_result.name is
    'The name of the tenant migration; null if the tenant is up to date.';
comment on column public.tenantry_tenant_migration_result.pass_number is
    'Of a backfill that is in progress: how often it has begun to read the table. After the first pass it looks for rows that have moved or come meanwhile.';
comment on column public.tenantry_tenant_migration_result.rows_done is
    'Of a backfill: the rows that it has changed so far, in batches that are committed. A failure takes back only the last batch.';
comment on column public.tenantry_tenant_migration_result.rows_left is
    'Of a backfill: an estimate of the rows that the pass has not read yet.';
comment on column public.tenantry_tenant_migration_result.seconds_left is
    'Of a backfill: an estimate for the pass from the last batch, without pauses between calls.';
