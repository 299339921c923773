create function tenancy.require_table(schema_name text, table_name text)
    returns oid
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.find_table(schema_name, table_name);
begin
    if v_table is null then
        raise exception 'Tenant "%" has no table %.', schema_name, coalesce('"' || tenancy.printable(table_name) || '"', 'without a name')
            using errcode = 'PT404', detail = 'table_not_found',
                hint = 'List the tables with get_schema_tables.';
    end if;

    return v_table;
end;
$$;

comment on function tenancy.require_table(text, text) is
    'The oid of a tenant''s table (PT404 table_not_found).';
