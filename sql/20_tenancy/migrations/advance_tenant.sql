-- Several short attempts replace one long wait for a lock, because a waiting ALTER TABLE makes
-- every later reader wait. The whole migration is tried again, because each of its statements
-- takes locks, and a statement that waits keeps the locks of those before it.
create function tenancy.advance_tenant(tenant public.tenants, migration tenancy.tenant_migrations)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_give_up constant timestamptz := clock_timestamp() + interval '2 seconds';
    v_own tenancy.schema_object[] := array[]::tenancy.schema_object[];
    v_after public.tenants;
    v_leftovers constant text[] := tenancy.session_leftovers();
    v_locks constant text[] := tenancy.advisory_locks();
begin
    if tenancy.has_own_objects(tenant.schema_name, tenant.schema_version) then
        -- Before the own objects are recorded: this refresh is not a change by the migration.
        perform tenancy.refresh_audit_triggers(tenant.schema_name);
        v_own := tenancy.own_objects(
            tenant.schema_name,
            tenant.schema_version,
            array(
                select row(o.*)::tenancy.schema_object
                from tenancy.schema_objects(
                    tenant.schema_name,
                    without_tables => tenancy.unextended_tables(tenant.schema_name, tenant.schema_version)
                ) o
            )
        );
    end if;

    loop
        begin
            perform tenancy.apply_tenant_migration(tenant.schema_name, migration);
            update public.tenants t
            set schema_version = migration.version, updated_at = now()
            where t.id = tenant.id
            returning * into strict v_after;
            perform tenancy.apply_tenant_privileges(tenant.schema_name);
            -- The reference schema has no rows, for which a migration may leave something.
            perform tenancy.require_clean_session(migration, v_leftovers, v_locks);
            perform tenancy.require_template(tenant.schema_name, migration.version, v_own);
            return v_after;
        exception
            when lock_not_available or deadlock_detected then
                perform tenancy.release_session_locks(v_locks);
                if clock_timestamp() >= v_give_up then
                    raise;
                end if;
            when others or query_canceled then
                perform tenancy.release_session_locks(v_locks);
                raise;
        end;
        perform pg_sleep(0.02 + random() * 0.03);
    end loop;
end;
$$;

comment on function tenancy.advance_tenant(public.tenants, tenancy.tenant_migrations) is
    'Migrates a tenant to its next version, or raises and leaves the tenant as it was. Only under lock_tenant.';
