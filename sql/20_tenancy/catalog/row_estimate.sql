create function tenancy.row_estimate(relation oid)
    returns bigint
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- The statistics have a live count before the first ANALYZE, but a crash resets it.
    -- reltuples survives a crash, but has no value before the first ANALYZE.
    return greatest(
        pg_stat_get_live_tuples(relation),
        (select c.reltuples::bigint from pg_catalog.pg_class c where c.oid = relation),
        0
    );
end;
$$;

comment on function tenancy.row_estimate(oid) is
    'Estimated number of rows of a table, from statistics; no row is counted.';
