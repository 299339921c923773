-- A tenant that is created or migrated locks the row of the migration that it is about to have.
-- So after this lock nobody is about to receive the migration or a later one.
create function tenancy.lock_tenant_migration(version text)
    returns tenancy.tenant_migrations
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '4s'
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
begin
    lock table tenancy.tenant_migrations in share row exclusive mode;

    select * into v_migration
    from tenancy.tenant_migrations m
    where m.version = lock_tenant_migration.version;
    if not found then
        raise exception 'There is no tenant migration %.', coalesce('"' || tenancy.printable(version) || '"', 'without a version')
            using errcode = 'PT404', detail = 'migration_not_found',
                hint = 'list_tenants_behind names the versions. A migration that was withdrawn is registered no more.';
    end if;
    if v_migration.version like 'tenantry\_%' then
        raise exception 'Tenant migration "%" is Tenantry''s own and stays as it is.', v_migration.version
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Only tenant migrations that the project has registered can be withdrawn or replaced.';
    end if;

    perform
    from tenancy.tenant_migrations m
    where m.position >= v_migration.position
    order by m.position
    for update;

    return v_migration;
end;
$$;

comment on function tenancy.lock_tenant_migration(text) is
    'Locks a tenant migration of the project and all later ones until the transaction ends, and returns it: no tenant is created or migrated to one of them meanwhile (PT404 migration_not_found, PT422 invalid_request, 55P03).';
