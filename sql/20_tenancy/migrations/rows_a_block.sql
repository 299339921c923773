-- Statistics may be missing or old, and reading a few blocks costs little.
create function tenancy.rows_a_block(schema_name text, table_name text)
    returns double precision
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_read constant bigint := least(tenancy.block_count(schema_name, table_name), 50);
    v_rows bigint;
begin
    if v_read = 0 then
        return 0;
    end if;
    execute format(
        'select count(*) from only %I.%I where ctid >= ''(0,0)'' and ctid < ''(%s,0)''', schema_name, table_name, v_read
    ) into v_rows;

    return v_rows::double precision / v_read;
end;
$$;

comment on function tenancy.rows_a_block(text, text) is
    'Estimate of the rows in one block of a tenant''s table, from its first 50 blocks (PT404 table_not_found).';
