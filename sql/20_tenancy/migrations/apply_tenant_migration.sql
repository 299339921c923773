create function tenancy.apply_tenant_migration(schema_name text, migration tenancy.tenant_migrations)
    returns void
    volatile
    security invoker
    set search_path = ''
    -- A constant such as '2026-01-01'::timestamptz must mean the same in every schema.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    language plpgsql
as $$
declare
    v_path constant text := format('%I, extensions, pg_temp', schema_name);
    v_tables_before constant oid[] := tenancy.table_oids(schema_name);
    v_tables_now oid[];
begin
    -- On a hosted project, sessions of the API refuse an UPDATE without WHERE. `db push`, which
    -- ran the same statements in the reference schema, does not.
    perform set_config('safeupdate.enabled', 'off', true);

    -- Only the statements run with this path; afterwards the empty path is set again.
    perform set_config('search_path', v_path, true);
    execute migration.statements;
    -- A constraint that is checked only at the commit would fail outside any handler.
    set constraints all immediate;

    if current_setting('search_path') <> v_path then
        raise exception 'A tenant migration must not set search_path.'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Leave names unqualified: the migration runs once in each tenant.';
    end if;
    perform set_config('search_path', '', true);

    v_tables_now := tenancy.table_oids(schema_name);
    if cardinality(v_tables_before) > 0 then
        perform tenancy.refresh_audit_triggers(schema_name);
    end if;
    if not v_tables_before <@ v_tables_now then
        perform tenancy.drop_unused_audit_routines(schema_name);
    end if;
    -- A migration may enable row level security and write no policy, so that no
    -- client reaches the table. Such a table is not changed.
    perform tenancy.enable_tenant_table(schema_name, c.relname)
    from pg_catalog.pg_class c
    where c.oid = any (v_tables_now)
        and c.oid <> all (v_tables_before)
        and not c.relrowsecurity
        and not exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid);
end;
$$;

comment on function tenancy.apply_tenant_migration(text, tenancy.tenant_migrations) is
    'Runs one tenant migration in one schema and makes new tables tenant tables, unless the migration did so itself: members read, writers write, everything is audited. apply_tenant_privileges sets the privileges afterwards.';
