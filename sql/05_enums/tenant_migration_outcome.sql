create type tenancy.tenant_migration_outcome as enum ('migrated', 'up_to_date', 'failed');

comment on type tenancy.tenant_migration_outcome is
    'Outcome of migrate_tenant. A failed migration leaves the tenant as it was.';
