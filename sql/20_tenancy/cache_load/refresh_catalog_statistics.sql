create function tenancy.refresh_catalog_statistics()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_catalog regclass;
begin
    for v_catalog in
        select s.catalog
        from tenancy.stale_catalogs() s (catalog)
        -- PostgreSQL allows it to the owner of the database, and warns anybody else.
        where exists (
            select
            from pg_catalog.pg_database d
            where d.datname = current_database() and pg_has_role(d.datdba, 'usage')
        )
    loop
        -- The lock lasts to the end of the transaction. Readers and writers do not wait for it, and
        -- who would wait skips the catalog.
        execute format('analyze (skip_locked) %s', v_catalog);
    end loop;
end;
$$;

comment on function tenancy.refresh_catalog_statistics() is
    'Collects the statistics of the stale catalogs, if the caller owns the database. Whatever adds many objects calls it before it adds them.';
