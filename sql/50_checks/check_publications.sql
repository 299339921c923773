create function tenancy.check_publications()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'published',
        format('%s.%s', t.schemaname, t.tablename),
        format(
            'The tenant table %s.%s is in the publication %s. Realtime sends DELETE events of the table without '
            'checking policies.',
            t.schemaname, t.tablename, t.pubname
        ),
        coalesce(s.statement, format('Let %s publish tables by name instead of all tables.', t.pubname)),
        s.statement
    from pg_catalog.pg_publication_tables t
    join pg_catalog.pg_publication p on p.pubname = t.pubname
    left join lateral (
        select format('alter publication %I drop table %I.%I;', t.pubname, t.schemaname, t.tablename) as statement
        from pg_catalog.pg_publication_rel r
        where r.prpubid = p.oid and r.prrelid = to_regclass(format('%I.%I', t.schemaname, t.tablename))
    ) s on true
    where exists (select from public.tenants e where e.schema_name = t.schemaname)
    order by t.schemaname, t.tablename, t.pubname;
$$;

comment on function tenancy.check_publications() is 'Check: tenant tables in a publication.';
