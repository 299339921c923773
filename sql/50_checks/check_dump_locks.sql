create function tenancy.check_dump_locks()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'warning: dump of everything',
        current_database()::text,
        format(
            'A dump of the whole database needs %s locks, and the server has %s for all sessions. It runs out of them with about %s tenants.',
            d.needed, d.available, d.most_tenants
        ),
        'Dump tenant by tenant, and the other schemas with --exclude-schema, as supabase/BACKUP.md says. Or raise max_locks_per_transaction.',
        null
    from tenancy.dump_locks() d
    where d.needed > d.available / 2;
$$;

comment on function tenancy.check_dump_locks() is
    'Check: a dump of everything needs at most half of the server''s locks.';
