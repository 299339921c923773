-- A tenant restored at a version that this project does not know was compared with nothing and
-- protected by nothing. And a version of fewer digits than a time has would come last for ever.
alter table tenancy.tenant_migrations
    drop constraint tenant_migrations_version_is_number,
    add constraint tenant_migrations_version_is_time check (version = '0' or version ~ '^[0-9]{14}$');

alter table public.tenants
    add constraint tenants_schema_version_fkey foreign key (schema_version)
        references tenancy.tenant_migrations (version);
