create type public.tenant_migration_outcome as enum ('migrated', 'up_to_date', 'failed');

comment on type public.tenant_migration_outcome is
    'What became of a call of migrate_tenant. Of a failed migration the tenant kept nothing.';
