-- PostgreSQL counts changed rows for autovacuum, which may come a minute later or after a long
-- queue. Many tenants have tables and constraints of the same names. Without statistics of that,
-- the load of PostgREST's schema cache compares each with each.
create function tenancy.stale_catalogs(least_changes integer default 500)
    returns setof regclass
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select c.oid::regclass
    from pg_catalog.pg_class c
    where c.oid in (
            'pg_catalog.pg_namespace'::regclass, 'pg_catalog.pg_class'::regclass,
            'pg_catalog.pg_constraint'::regclass
        )
        -- In proportion to the size, so that the statistics cost each creation the same.
        and pg_stat_get_mod_since_analyze(c.oid) > least_changes + greatest(c.reltuples, 0) / 2
    order by c.oid;
$$;

comment on function tenancy.stale_catalogs(integer) is
    'The catalogs of PostgreSQL with the names that tenants share, of which more than half has changed since their statistics were collected, and at least a number of rows.';
