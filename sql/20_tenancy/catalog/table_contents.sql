-- Counting a table of 16 MB takes some ten milliseconds. A larger one is estimated, because
-- nobody can read it while it is counted before it is dropped.
create function tenancy.table_contents(relation oid)
    returns jsonb
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_bytes constant bigint := tenancy.table_bytes(relation);
    v_is_estimate constant boolean := v_bytes > 16777216;
    v_rows bigint;
begin
    if v_is_estimate then
        v_rows := tenancy.row_estimate(relation);
    else
        execute format('select count(*) from %s', relation::regclass) into v_rows;
    end if;

    return jsonb_build_object('rows', v_rows, 'rows_are_estimated', v_is_estimate, 'bytes', v_bytes);
end;
$$;

comment on function tenancy.table_contents(oid) is
    'How many rows and bytes a table has, for the entry about their removal. Rows are counted in a table of up to 16 MB, and estimated in a larger one.';
