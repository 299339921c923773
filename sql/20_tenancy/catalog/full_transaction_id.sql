create function tenancy.full_transaction_id(short xid)
    returns xid8
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_next constant bigint := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
    v_low constant bigint := short::text::bigint;
    v_full bigint := (v_next >> 32 << 32) + v_low;
begin
    -- A row has only the lower 32 bits of its transaction id. If the result is in the future,
    -- the row is from the epoch before the present one.
    if v_full >= v_next + 2147483648 then
        v_full := v_full - 4294967296;
    end if;

    return v_full::text::xid8;
end;
$$;

comment on function tenancy.full_transaction_id(xid) is
    'The full transaction id of a row''s xmin. Right for rows that are less than two billion transactions old.';
