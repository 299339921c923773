-- pg_dump keeps a lock on each table, view and sequence until it ends. All sessions share the
-- locks. The number is the one for which PostgreSQL reserves memory when it starts.
create function tenancy.dump_locks(out needed integer, out available integer, out most_tenants integer)
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        n.needed,
        a.available,
        case
            when t.tenants > 0 and n.of_tenants > 0 then
                greatest(0, floor((a.available - n.needed + n.of_tenants) * t.tenants / n.of_tenants::float8))::integer
        end
    from (
        select
            count(*)::integer as needed,
            count(*) filter (where s.id is not null)::integer as of_tenants
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        left join public.tenants s on s.schema_name = n.nspname
        where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
            and n.nspname <> 'information_schema'
            and n.nspname !~ '^pg_'
    ) n
    cross join (select count(*)::integer as tenants from public.tenants) t
    cross join (
        select current_setting('max_locks_per_transaction')::integer * sum(s.setting::integer)::integer as available
        from pg_catalog.pg_settings s
        where s.name in (
            'max_connections', 'max_prepared_transactions', 'autovacuum_max_workers',
            'max_worker_processes', 'max_wal_senders'
        )
    ) a;
$$;

comment on function tenancy.dump_locks() is
    'How many locks a dump of the whole database needs, how many the server has for all sessions, and with how many tenants like those here the first number reaches the second (null without tenants).';
