create function tenancy.leave_unaudited(schema_name text, table_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_statements text;
begin
    select string_agg(format('drop trigger %I on %I.%I;', t.tgname, schema_name, table_name), ' ')
    into v_statements
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where t.tgrelid = v_table and p.prosrc like E'\n<<audit>>%';
    if v_statements is not null then
        execute v_statements;
        perform tenancy.drop_unused_audit_routines(schema_name);
    end if;

    -- By oid, because the migration may rename the table afterwards.
    perform set_config(
        'tenancy.unaudited_tables',
        concat_ws(' ', nullif(current_setting('tenancy.unaudited_tables', true), ''), v_table),
        true
    );
end;
$$;

comment on function tenancy.leave_unaudited(text, text) is
    'Says in a tenant migration that a table shall not be audited, and drops its audit triggers. Without this call, or audited => false of enable_tenant_table, apply_tenant_migration audits every new table and refuses to lose the audit of an old one (PT404 table_not_found).';
