create function tenancy.audit_table_statements(schema_name text, table_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select concat_ws(
        ' ',
        -- audit_table replaces its own routine. Another one has to go first, with its triggers.
        case when not exists (
            select
            from pg_catalog.pg_proc p
            where p.oid = to_regprocedure(format('%I.%I()', schema_name, tenancy.audit_routine_name(table_name)))
                and p.prosrc like E'\n<<audit>>%'
        ) then format(
            'drop trigger if exists audit_insert on %1$I.%2$I; drop trigger if exists audit_update on %1$I.%2$I; '
            'drop trigger if exists audit_delete on %1$I.%2$I; drop trigger if exists audit_truncate on %1$I.%2$I; '
            'drop function if exists %1$I.%3$I();',
            schema_name, table_name, tenancy.audit_routine_name(table_name)
        ) end,
        format('select tenancy.audit_table(%L, %L);', schema_name, table_name)
    );
$$;

comment on function tenancy.audit_table_statements(text, text) is
    'The statements that give a table the audit triggers and the routine that audit_table creates, in place of others with their names.';
