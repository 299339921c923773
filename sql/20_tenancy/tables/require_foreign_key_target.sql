create function tenancy.require_foreign_key_target(schema_name text, foreign_table text, foreign_column text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if tenancy.is_template_table(schema_name, foreign_table)
        and (foreign_table, foreign_column) not in (('users', 'id'), ('settings', 'key'))
    then
        raise exception 'A foreign key cannot point at "%" of table "%", which is part of every tenant.',
            tenancy.printable(foreign_column), foreign_table
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'Of such tables, a foreign key can point only at users(id) and settings(key): other columns may change with the template.';
    end if;
end;
$$;

comment on function tenancy.require_foreign_key_target(text, text, text) is
    'Refuses a foreign key that would block later tenant migrations (PT409 protected_table).';
