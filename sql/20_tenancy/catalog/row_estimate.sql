create function tenancy.row_estimate(relation oid)
    returns bigint
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- The statistics collector's live count is there before the first ANALYZE; the
    -- planner's is what is left after a crash has emptied the collector.
    return greatest(
        pg_stat_get_live_tuples(relation),
        (select c.reltuples::bigint from pg_catalog.pg_class c where c.oid = relation),
        0
    );
end;
$$;

comment on function tenancy.row_estimate(oid) is
    'About how many rows a table has, from statistics; nothing is counted.';
