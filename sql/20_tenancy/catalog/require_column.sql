create function tenancy.require_column(schema_name text, table_name text, column_name text)
    returns smallint
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_number smallint;
begin
    select a.attnum into v_number
    from pg_catalog.pg_attribute a
    where a.attrelid = tenancy.require_table(schema_name, table_name)
        and a.attname = column_name
        and a.attnum > 0
        and not a.attisdropped;

    if v_number is null then
        raise exception 'Table "%" has no column %.', table_name, coalesce('"' || tenancy.printable(column_name) || '"', 'without a name')
            using errcode = 'PT404', detail = 'column_not_found',
                hint = 'List the columns with get_table_columns.';
    end if;

    return v_number;
end;
$$;

comment on function tenancy.require_column(text, text, text) is
    'The number of a column of a tenant''s table (PT404: table_not_found, column_not_found).';
