create function tenancy.require_own_column(schema_name text, table_name text, column_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- The prefix is the promise that no later template column is called so.
    if table_name = 'audit_log'
        or (tenancy.is_template_table(schema_name, table_name) and coalesce(column_name, '') not like 'x\_%')
    then
        raise exception 'Column "%" of table "%" is not the tenant''s to add or drop.', tenancy.printable(column_name), table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'Columns of your own in a table of every tenant are named x_…; "audit_log" takes none.';
    end if;
end;
$$;

comment on function tenancy.require_own_column(text, text, text) is
    'Refuses columns that would clash with the template (PT409 protected_table).';
