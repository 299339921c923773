-- One trigger function for each table, which lists the table's columns and runs once a
-- statement: a generic function that compares rows as JSON, one by one, costs several times
-- as much.
create function tenancy.audit_table(schema_name text, table_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_routine constant text := tenancy.audit_routine_name(table_name);
    v_present_name constant text := (
        select p.proname::text
        from pg_catalog.pg_trigger t
        join pg_catalog.pg_proc p on p.oid = t.tgfoid
        where t.tgrelid = v_table and t.tgname = 'audit_insert' and p.prosrc like E'\n<<audit>>%'
    );
    v_is_new constant boolean := v_present_name is null;
    -- The function is created under a unique name, because looking up the common name would read
    -- the functions of all tenants. It is renamed as soon as the triggers refer to it.
    v_created_as constant text := case when v_is_new then 'tg_' || v_table || '__audit_new' else v_routine end;
    v_other oid;
begin
    -- The table was renamed after it got its triggers.
    if v_present_name <> v_routine then
        -- Two tables may have exchanged their names. The other table's function has the name of
        -- this one until the other table's turn comes.
        select p.oid into v_other
        from pg_catalog.pg_proc p
        where p.proname = v_routine
            and p.pronamespace = to_regnamespace(quote_ident(schema_name))
            and p.pronargs = 0
            and p.prosrc like E'\n<<audit>>%';
        if found then
            execute format('alter function %1$I.%2$I() rename to %3$I', schema_name, v_routine, 'tg_' || v_other || '__audit');
        end if;
        execute format('alter function %I.%I() rename to %I', schema_name, v_present_name, v_routine);
    end if;

    execute format(
        $sql$
create or replace function %1$I.%2$I()
    returns trigger
    volatile
    security definer
    set search_path = ''
    -- The text of a value must not depend on the session that writes it.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    -- A session keeps the plan of its first statement, which may change one row. The next
    -- statement may change a million.
    set enable_nestloop = off
    language plpgsql
as %3$L
        $sql$,
        schema_name, v_created_as, tenancy.audit_routine_source(schema_name, table_name)
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
            schema_name, table_name, v_created_as, v_routine
        );
    end if;
end;
$$;

comment on function tenancy.audit_table(text, text) is
    'Creates or replaces the audit triggers of a tenant''s table, so that every change of the table writes to the tenant''s audit_log. Call it again after the table''s columns or name have changed. Only under lock_tenant (PT404 table_not_found).';
