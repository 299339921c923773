create function tenancy.apply_tenant_migration(schema_name text, migration tenancy.tenant_migrations)
    returns void
    volatile
    security invoker
    set search_path = ''
    -- A constant such as '2026-01-01'::timestamptz must mean the same in every schema.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set quote_all_identifiers = off
    language plpgsql
as $$
declare
    v_path constant text := tenancy.tenant_search_path(schema_name);
    v_schema_before constant pg_catalog.pg_namespace := (
        select n from pg_catalog.pg_namespace n where n.nspname = apply_tenant_migration.schema_name
    );
    v_channels constant text[] := array(select c from pg_listening_channels() c);
    v_channel text;
    v_tables_before constant oid[] := tenancy.table_oids(schema_name);
    v_audited_before constant oid[] := tenancy.audited_tables(v_tables_before);
    v_tables_now oid[];
    v_unaudited oid[];
    v_audited oid[];
    v_lost text;
begin
    -- leave_unaudited writes this list.
    perform set_config('tenancy.unaudited_tables', '', true);

    -- On a hosted project, sessions of the API refuse an UPDATE without WHERE. `db push`, which
    -- ran the same statements in the reference schema, does not.
    perform set_config('safeupdate.enabled', 'off', true);

    -- Only the statements run with this path; afterwards the empty path is set again.
    perform set_config('search_path', v_path, true);
    if migration.phase = 'backfill' then
        -- For no row at all: advance_backfill runs it for the rows of a tenant.
        execute tenancy.single_statement(migration.statements) using '(0,0)'::tid, '(0,0)'::tid;
    elsif migration.phase = 'change' or not tenancy.is_index_ready(schema_name, migration) then
        execute migration.statements;
    end if;
    -- PostgreSQL shows a new channel only after the commit. So nothing is refused here, but the
    -- session listens to what it listened to before.
    unlisten *;
    foreach v_channel in array v_channels loop
        execute format('listen %I', v_channel);
    end loop;
    -- A constraint that is checked only at the commit would fail outside any handler.
    set constraints all immediate;

    if current_setting('search_path') <> v_path then
        raise exception 'A tenant migration must not set search_path. Leave names unqualified: the migration runs once in each tenant.'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    perform set_config('search_path', '', true);
    if not exists (
        select
        from pg_catalog.pg_namespace n
        where n.oid = v_schema_before.oid
            and n.nspname = v_schema_before.nspname
            and n.nspowner = v_schema_before.nspowner
    ) then
        raise exception 'A tenant migration must not rename or drop the tenant''s schema or give it to another role. Remove that statement: it may only change what is in the schema.'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if schema_name = 'tenant_template' then
        perform tenancy.require_buildable_indexes(schema_name);
    end if;
    perform tenancy.pin_routines(schema_name);

    v_tables_now := tenancy.table_oids(schema_name);
    v_unaudited := coalesce(string_to_array(nullif(current_setting('tenancy.unaudited_tables'), ''), ' '), '{}');
    if cardinality(v_tables_before) > 0 then
        perform tenancy.refresh_audit_triggers(schema_name);
    end if;
    if not v_tables_before <@ v_tables_now then
        perform tenancy.drop_unused_audit_routines(schema_name);
    end if;
    -- A migration may enable row level security and write the policies of a table itself. Such a
    -- table only gets the audit.
    perform tenancy.enable_tenant_table(schema_name, c.relname, audited => c.oid <> all (v_unaudited))
    from pg_catalog.pg_class c
    where c.oid = any (v_tables_now)
        and c.oid <> all (v_tables_before)
        and not c.relrowsecurity
        and not exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid);
    perform tenancy.close_policies(schema_name);
    v_audited := tenancy.audited_tables(v_tables_now);
    perform tenancy.audit_table(schema_name, c.relname)
    from pg_catalog.pg_class c
    where c.oid = any (v_tables_now)
        and c.oid <> all (v_tables_before || v_audited || v_unaudited);

    select string_agg(format('"%s"', c.relname), ', ' order by c.relname) into v_lost
    from pg_catalog.pg_class c
    where c.oid = any (v_tables_now)
        and c.oid = any (v_audited_before)
        and c.oid <> all (v_audited || v_unaudited);
    if v_lost is not null then
        raise exception 'The tenant migration would end the audit of %: it drops or disables audit triggers. Enable them again in the same migration, or call tenancy.leave_unaudited(current_schema(), ''<table>'').', v_lost
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.apply_tenant_migration(text, tenancy.tenant_migrations) is
    'Runs one tenant migration in one schema and makes new tables tenant tables: members read, writers write, unless the migration writes policies or enables row level security itself; every change is audited, unless the migration called leave_unaudited. pin_routines gives its routines the tenant''s search path. Refuses a migration that drops or disables audit triggers (55000). apply_tenant_privileges sets the privileges afterwards.';
