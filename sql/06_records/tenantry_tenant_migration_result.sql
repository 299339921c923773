create type public.tenantry_tenant_migration_result as (
    schema_name text,
    outcome tenancy.tenant_migration_outcome,
    version text,
    pending integer,
    sqlstate text,
    message text
);

comment on type public.tenantry_tenant_migration_result is 'Result of migrate_tenant.';
comment on column public.tenantry_tenant_migration_result.version is
    'The tenant migration that was applied or has failed; of a tenant that is up to date, its version.';
comment on column public.tenantry_tenant_migration_result.pending is 'Number of tenant migrations that this tenant still lacks.';
