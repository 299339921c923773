-- From relpages, because pg_relation_size opens each relation: a session would keep some
-- kilobytes of each relation of each tenant, and read the size of each file.
create function tenancy.schema_bytes(schema_name text)
    returns bigint
    stable
    security invoker
    set search_path = ''
    -- Statistics of the catalog may be from a time with few tenants.
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
    language plpgsql
as $$
begin
    return (
        select coalesce(sum(p.pages), 0)::bigint * current_setting('block_size')::bigint
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid and c.relkind in ('r', 'm')
        cross join lateral (
            select c.relpages as pages
            union all
            select i.relpages
            from pg_catalog.pg_index x
            join pg_catalog.pg_class i on i.oid = x.indexrelid
            where x.indrelid = c.oid
            union all
            select t.relpages from pg_catalog.pg_class t where t.oid = c.reltoastrelid
        ) p
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_class'::regclass
    );
end;
$$;

comment on function tenancy.schema_bytes(text) is
    'Size of a schema on disk in bytes: tables with their indexes and out-of-line values, as of the last VACUUM or ANALYZE of each. Reads nothing of other schemas.';
