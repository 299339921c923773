create function tenancy.check_shared_tables()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'shared table missing',
        'tenancy.shared_tables',
        format('The table with the number %s was shared, and does not exist any more.', s.relation::oid),
        r.statement,
        r.statement
    from tenancy.shared_tables s
    cross join lateral format(
        'delete from tenancy.shared_tables where relation = %s::oid;', s.relation::oid
    ) r (statement)
    where not exists (select from pg_catalog.pg_class c where c.oid = s.relation);
$$;

comment on function tenancy.check_shared_tables() is
    'Check: shared tables that somebody has dropped.';
