create type tenancy.tenant_migration_outcome as enum ('migrated', 'up_to_date', 'failed', 'in_progress');

comment on type tenancy.tenant_migration_outcome is
    'Outcome of migrate_tenant. A failed migration leaves the tenant as it was; a failed backfill keeps its earlier batches. in_progress: one batch of a backfill is done, and the next call does the next.';
