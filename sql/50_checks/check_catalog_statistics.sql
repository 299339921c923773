create function tenancy.check_catalog_statistics()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'warning: stale catalog statistics',
        s.catalog::text,
        format(
            'More than half of %s has changed since PostgreSQL collected its statistics. The Data API may take long to load its schema cache.',
            s.catalog
        ),
        format('analyze %s;', s.catalog),
        'select tenancy.refresh_catalog_statistics();'
    from tenancy.stale_catalogs(5000) s (catalog)
    union all
    select
        'warning: bloated catalog',
        c.oid::regclass::text,
        format(
            'The catalog %s has %s deleted rows beside %s present ones, so everything that reads it is slow.',
            c.oid::regclass, pg_stat_get_dead_tuples(c.oid), pg_stat_get_live_tuples(c.oid)
        ),
        format('Outside a transaction: vacuum analyze %s;', c.oid::regclass),
        null
    from pg_catalog.pg_class c
    where c.relnamespace = 'pg_catalog'::regnamespace
        and c.relkind = 'r'
        -- A small catalog is read in milliseconds even so, and autovacuum comes within a minute.
        and pg_stat_get_dead_tuples(c.oid) > 30000 + pg_stat_get_live_tuples(c.oid);
$$;

comment on function tenancy.check_catalog_statistics() is
    'Check: the catalogs of PostgreSQL, which the load of the schema cache reads, have statistics and are not bloated.';
