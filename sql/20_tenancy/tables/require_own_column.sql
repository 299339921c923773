create function tenancy.require_own_column(schema_name text, table_name text, column_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- No column of the template will ever begin with x_, so such a name cannot clash later.
    if table_name = 'audit_log'
        or (tenancy.is_template_table(schema_name, table_name) and coalesce(column_name, '') not like 'x\_%')
    then
        raise exception 'A tenant cannot add or drop column "%" of table "%".', tenancy.printable(column_name), table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'In a table that every tenant has, name your own columns x_…. Columns cannot be added to table "audit_log".';
    end if;
end;
$$;

comment on function tenancy.require_own_column(text, text, text) is
    'Refuses to add or drop a column that is part of the template, or whose name a later version of the template could use (PT409 protected_table).';
