create function tenancy.record_cache_load(milliseconds integer)
    returns void
    volatile
    security invoker
    set search_path = ''
    language sql
as $$
    insert into tenancy.cache_load_measurements (tenant_count, relation_count, milliseconds)
    select
        (select count(*) from public.tenants),
        count(*),
        milliseconds
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
        and n.nspname = any (tenancy.exposed_schemas());

    delete from tenancy.cache_load_measurements m
    where m.measured_at < (
        select k.measured_at
        from tenancy.cache_load_measurements k
        order by k.measured_at desc
        offset 499
        limit 1
    );
$$;

comment on function tenancy.record_cache_load(integer) is
    'Keeps how many milliseconds a load of the schema cache took, with the present number of tenants and tables.';
