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
    -- A row shows the lower half of its transaction's number; what lies in the future of
    -- the current epoch belongs to the one before.
    if v_full >= v_next + 2147483648 then
        v_full := v_full - 4294967296;
    end if;

    return v_full::text::xid8;
end;
$$;

comment on function tenancy.full_transaction_id(xid) is
    'The full transaction number of a row''s xmin, for rows younger than two billion transactions.';
