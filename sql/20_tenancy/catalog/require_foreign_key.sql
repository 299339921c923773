create function tenancy.require_foreign_key(schema_name text, table_name text, constraint_name text)
    returns public.tenantry_table_foreign_key
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_foreign_key public.tenantry_table_foreign_key;
begin
    select * into v_foreign_key
    from tenancy.describe_foreign_keys(tenancy.require_table(schema_name, table_name)) k
    where k.constraint_name = require_foreign_key.constraint_name;

    if not found then
        raise exception 'Table "%" has no foreign key %.', table_name,
            coalesce('"' || tenancy.printable(constraint_name) || '"', 'without a name')
            using errcode = 'PT404', detail = 'constraint_not_found',
                hint = 'List the foreign keys with get_table_foreign_keys.';
    end if;

    return v_foreign_key;
end;
$$;

comment on function tenancy.require_foreign_key(text, text, text) is
    'A foreign key of a tenant''s table by its name (PT404: table_not_found, constraint_not_found).';
