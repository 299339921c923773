create function tenancy.withdraw_tenant_migration(version text)
    returns tenancy.tenant_migrations
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration constant tenancy.tenant_migrations := tenancy.lock_tenant_migration(version);
    v_holders constant text[] := tenancy.tenants_with(v_migration);
    v_is_pooled constant boolean := not exists (
        select from public.tenants t where t.schema_name = any (v_holders) and t.status <> 'pooled'
    );
    v_later tenancy.tenant_migrations;
begin
    if cardinality(v_holders) > 0 and v_is_pooled then
        raise exception 'Tenant migration "%" cannot be withdrawn: % tenants of the pool have received it, and no other. Empty the pool: set tenancy.platform_settings.pool_size to 0 and run tenantry pool refill.',
            version, cardinality(v_holders)
            using errcode = 'PT409', detail = 'migration_received',
                hint = 'Set tenancy.platform_settings.pool_size to 0, call refill_tenant_pool until the pool is empty, and withdraw again.';
    end if;
    if cardinality(v_holders) > 0 then
        raise exception 'Tenant migration "%" cannot be withdrawn: % received it, such as "%". Replace it for the tenants that lack it, or register a migration that undoes it.',
            version,
            case cardinality(v_holders) when 1 then 'one tenant has' else cardinality(v_holders) || ' tenants have' end,
            v_holders[1]
            using errcode = 'PT409', detail = 'migration_received',
                hint = 'Replace it for the tenants that lack it, or register a migration that undoes it.';
    end if;
    perform tenancy.require_no_leftover_index(v_migration, 'withdrawn');

    -- With it go what is recorded of the reference schema, and the failures.
    delete from tenancy.tenant_migrations m where m.version = v_migration.version;
    -- Positions stay without gaps. One by one, because they are unique at any time.
    for v_later in
        select m.* from tenancy.tenant_migrations m where m.position > v_migration.position order by m.position
    loop
        update tenancy.tenant_migrations m
        set position = m.position - 1
        where m.version = v_later.version;
    end loop;
    perform tenancy.rebuild_reference(v_migration.position);

    return v_migration;
end;
$$;

comment on function tenancy.withdraw_tenant_migration(text) is
    'Removes a tenant migration that no tenant has received, builds the reference schema again without it, and returns it (PT404 migration_not_found, PT409 migration_received, PT422: invalid_request, migration_refused; 55P03).';
