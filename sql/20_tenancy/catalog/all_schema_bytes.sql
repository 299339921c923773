-- The same sizes as schema_bytes, for every schema in one pass over the catalog. With thousands of
-- tenants that costs less than a look-up for each.
create function tenancy.all_schema_bytes(out schema_name text, out bytes bigint)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select n.nspname::text, s.pages * current_setting('block_size')::bigint
    from (
        select p.schema, sum(p.pages)::bigint as pages
        from (
            select c.relnamespace as schema, c.relpages as pages
            from pg_catalog.pg_class c
            where c.relkind in ('r', 'm', 'i')
            union all
            select c.relnamespace, t.relpages
            from pg_catalog.pg_class c
            join pg_catalog.pg_class t on t.oid = c.reltoastrelid
            where c.relkind in ('r', 'm')
        ) p
        group by p.schema
    ) s
    join pg_catalog.pg_namespace n on n.oid = s.schema;
end;
$$;

comment on function tenancy.all_schema_bytes() is
    'Size of every schema on disk in bytes: tables with their indexes and out-of-line values, as of the last VACUUM or ANALYZE of each. One pass over the catalog.';
