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
    v_begun timestamptz;
    v_seconds double precision;
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
        v_begun := clock_timestamp();
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
            -- In a session of the database, whose statements may have no timeout.
            if clock_timestamp() > v_begun + migration.limit_seconds * interval '1 second' then
                raise query_canceled;
            end if;
            return v_after;
        exception
            when lock_not_available or deadlock_detected then
                perform tenancy.release_session_locks(v_locks);
                if clock_timestamp() >= v_give_up then
                    raise;
                end if;
            when query_canceled then
                perform tenancy.release_session_locks(v_locks);
                v_seconds := extract(epoch from clock_timestamp() - v_begun);
                -- The time was spent on waiting, or a person has cancelled it.
                if v_seconds < 0.8 * least(migration.limit_seconds, 5) then
                    perform tenancy.raise_busy();
                end if;
                raise exception 'It was cancelled after % seconds, in which tables of the tenant were locked. %',
                    round(v_seconds::numeric, 1),
                    case
                        when migration.limit_seconds > 5 then format(
                            'Its limit is %s seconds, which only a session of the database has: run `tenantry migrate` with --db-url.',
                            migration.limit_seconds
                        )
                        when migration.phase = 'index' then 'Run `tenantry migrate` with --db-url, which builds a large index while the table is written.'
                        else 'Replace it by a migration that changes no rows, and register what is left as a backfill or an index; or register it again with a higher limit_seconds.'
                    end
                    using errcode = 'query_canceled';
            when others then
                perform tenancy.release_session_locks(v_locks);
                raise;
        end;
        perform pg_sleep(0.02 + random() * 0.03);
    end loop;
end;
$$;

comment on function tenancy.advance_tenant(public.tenants, tenancy.tenant_migrations) is
    'Migrates a tenant to its next version, or raises and leaves the tenant as it was (PT429 busy if it was cancelled while it waited). Only under lock_tenant.';
