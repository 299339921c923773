create function tenancy.table_bytes(relation oid)
    returns bigint
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return coalesce(pg_total_relation_size(relation), 0);
end;
$$;

comment on function tenancy.table_bytes(oid) is
    'A table''s size on disk with indexes and out-of-line values, in bytes.';
