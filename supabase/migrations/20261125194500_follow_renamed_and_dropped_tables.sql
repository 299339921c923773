create or replace function tenancy.audit_stale_tables(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tables constant oid[] := tenancy.tables_of(schema_name);
begin
    perform tenancy.audit_table(schema_name, c.relname)
    from pg_catalog.pg_class c
    where c.oid = any (v_tables)
        and tenancy.find_table('tenant_template', c.relname) is not null
        and tenancy.audit_routine_source(schema_name, c.relname) <> (
            select p.prosrc
            from pg_catalog.pg_trigger t
            join pg_catalog.pg_proc p on p.oid = t.tgfoid
            where t.tgrelid = c.oid and t.tgname = 'audit_insert'
        );
end;
$$;

comment on function tenancy.audit_stale_tables(text) is
    'Brings up to date the audit trail of those template tables whose columns or names have changed.';

-- One trigger function per table with the table's columns written out, run once a statement
-- over the rows it touched: a generic comparison of JSON, row by row, costs many times that.
create or replace function tenancy.audit_table(schema_name text, table_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_routine constant text := tenancy.audit_routine_name(table_name);
    v_present constant text := (
        select p.proname::text
        from pg_catalog.pg_trigger t
        join pg_catalog.pg_proc p on p.oid = t.tgfoid
        where t.tgrelid = v_table and t.tgname = 'audit_insert'
    );
    v_is_new constant boolean := v_present is null;
    -- PostgreSQL looks a function up among all of its name, and each tenant has one of this
    -- name: it gets it when nothing has to look for it any more.
    v_first_name constant text := case when v_is_new then 'tg_' || v_table || '__audit' else v_routine end;
begin
    -- The table was called otherwise when it got its triggers.
    if v_present <> v_routine then
        execute format('alter function %I.%I() rename to %I', schema_name, v_present, v_routine);
    end if;

    execute format(
        $sql$
create or replace function %1$I.%2$I()
    returns trigger
    volatile
    security definer
    set search_path = ''
    -- The plan is kept from a session's first statement, which may have touched one row;
    -- the next may touch a million.
    set enable_nestloop = off
    language plpgsql
as %3$L
        $sql$,
        schema_name, v_first_name, tenancy.audit_routine_source(schema_name, table_name)
    );

    if v_is_new then
        execute format(
            'create trigger audit_insert after insert on %1$I.%2$I'
            ' referencing new table as new_rows for each statement execute function %1$I.%3$I();'
            'create trigger audit_update after update on %1$I.%2$I'
            ' referencing old table as old_rows new table as new_rows'
            ' for each statement execute function %1$I.%3$I();'
            'create trigger audit_delete after delete on %1$I.%2$I'
            ' referencing old table as old_rows for each statement execute function %1$I.%3$I();'
            'create trigger audit_truncate after truncate on %1$I.%2$I'
            ' for each statement execute function %1$I.%3$I();'
            'revoke all on function %1$I.%3$I() from public, anon, authenticated, service_role;'
            'alter function %1$I.%3$I() rename to %4$I;',
            schema_name, table_name, v_first_name, v_routine
        );
    end if;
end;
$$;

comment on function tenancy.audit_table(text, text) is
    'Makes every change of a tenant''s table leave an entry in the tenant''s audit_log; again after its columns or its name have changed. Only under lock_tenant.';

create function tenancy.drop_unused_audit_routines(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_routine text;
begin
    for v_routine in
        select p.proname::text
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_proc'::regclass
            and p.prorettype = 'trigger'::regtype
            and p.proname like 'tg\_%\_\_audit'
            and not exists (
                select from pg_catalog.pg_depend t
                where t.refclassid = 'pg_proc'::regclass
                    and t.refobjid = p.oid
                    and t.classid = 'pg_trigger'::regclass
            )
    loop
        execute format('drop function %I.%I()', schema_name, v_routine);
    end loop;
end;
$$;

comment on function tenancy.drop_unused_audit_routines(text) is
    'Drops what audited tables that are no longer there: the triggers went with them, their functions stay behind.';

revoke all on function tenancy.drop_unused_audit_routines(text) from public, anon, authenticated, service_role;

create or replace function tenancy.apply_tenant_migration(schema_name text, migration tenancy.tenant_migrations)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_path constant text := format('%I, extensions, pg_temp', schema_name);
    v_tables_before constant oid[] := tenancy.tables_of(schema_name);
    v_tables_now oid[];
begin
    -- Hosted, the API's sessions refuse a backfill without WHERE, which db push had allowed.
    perform set_config('safeupdate.enabled', 'off', true);

    -- For the statements alone; leaving this function puts the empty path back.
    perform set_config('search_path', v_path, true);
    execute migration.statements;
    -- What is deferred to the commit would fail there, out of everybody's reach.
    set constraints all immediate;

    if current_setting('search_path') <> v_path then
        raise exception 'A tenant migration must not set search_path.'
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Leave names unqualified: it runs once in each tenant.';
    end if;
    perform set_config('search_path', '', true);

    v_tables_now := tenancy.tables_of(schema_name);
    if cardinality(v_tables_before) > 0 then
        perform tenancy.audit_stale_tables(schema_name);
    end if;
    if not v_tables_before <@ v_tables_now then
        perform tenancy.drop_unused_audit_routines(schema_name);
    end if;
    -- Row level security switched on without a policy is a decision: such a table stays closed.
    perform tenancy.adopt_table(schema_name, c.relname)
    from pg_catalog.pg_class c
    where c.oid = any (v_tables_now)
        and c.oid <> all (v_tables_before)
        and not c.relrowsecurity
        and not exists (select from pg_catalog.pg_policy p where p.polrelid = c.oid);
end;
$$;

-- Versions that remember such a function would miss it in a tenant that drops its table now.
delete from tenancy.tenant_template_objects o
where o.object_kind = 'routine'
    and o.object_name like 'tg\_%\_\_audit()'
    and o.definition not like 'audits %';

drop function tenancy.is_template_table(text);
