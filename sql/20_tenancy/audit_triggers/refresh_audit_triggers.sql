create function tenancy.refresh_audit_triggers(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tables constant oid[] := tenancy.table_oids(schema_name);
begin
    perform tenancy.audit_table(schema_name, c.relname)
    from pg_catalog.pg_class c
    where c.oid = any (v_tables)
        and tenancy.audit_routine_source(schema_name, c.relname) <> (
            select p.prosrc
            from pg_catalog.pg_trigger t
            join pg_catalog.pg_proc p on p.oid = t.tgfoid
            where t.tgrelid = c.oid and t.tgname = 'audit_insert' and p.prosrc like E'\n<<audit>>%'
        );
end;
$$;

comment on function tenancy.refresh_audit_triggers(text) is
    'Replaces the audit trigger functions of the tables whose columns or name have changed, and of those whose function is from an older version of Tenantry.';
