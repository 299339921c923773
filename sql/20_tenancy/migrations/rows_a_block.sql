-- Statistics may be missing or old, and reading a few blocks costs little. They are spread over the
-- table, because its beginning may be full of dead rows, or its end.
create function tenancy.rows_a_block(schema_name text, table_name text)
    returns double precision
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_blocks constant bigint := tenancy.block_count(schema_name, table_name);
    v_step constant bigint := greatest(v_blocks / 50, 1::bigint);
    v_first bigint;
    v_found bigint;
    v_read bigint := 0::bigint;
    v_rows bigint := 0::bigint;
begin
    for v_first in select * from generate_series(0::bigint, v_blocks - 1, v_step) loop
        execute format('select count(*) from only %I.%I where ctid >= $1 and ctid < $2', schema_name, table_name)
        into v_found
        using format('(%s,0)', v_first)::tid, format('(%s,0)', v_first + 1)::tid;
        v_read := v_read + 1;
        v_rows := v_rows + v_found;
    end loop;

    return coalesce(v_rows::double precision / nullif(v_read, 0), 0);
end;
$$;

comment on function tenancy.rows_a_block(text, text) is
    'Estimate of the rows in one block of a tenant''s table, from some 50 of its blocks (PT404 table_not_found).';
