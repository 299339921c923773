create function tenancy.require_own_table(schema_name text, table_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if tenancy.is_template_table(schema_name, table_name) then
        raise exception 'Table "%" is part of every tenant and cannot be changed.', table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'Create your own table, or add a column named x_… to this table. Columns cannot be added to table "audit_log".';
    end if;
end;
$$;

comment on function tenancy.require_own_table(text, text) is
    'Refuses to change a table that is part of the template (PT409 protected_table).';
