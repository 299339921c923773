create type public.tenant_migration_result as (
    schema_name text,
    outcome public.tenant_migration_outcome,
    version text,
    pending integer,
    sqlstate text,
    message text
);

comment on type public.tenant_migration_result is 'The answer of migrate_tenant.';
comment on column public.tenant_migration_result.version is
    'The migration that was applied or failed; of a tenant that is up to date, the one it is at.';
comment on column public.tenant_migration_result.pending is 'Migrations that this tenant still lacks.';
