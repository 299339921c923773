-- One trigger function per table with the table's columns written out, run once a statement
-- over the rows it touched: a generic comparison of JSON, row by row, costs many times that.
create function tenancy.audit_table(schema_name text, table_name text)
    returns void
    volatile
    security invoker
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
