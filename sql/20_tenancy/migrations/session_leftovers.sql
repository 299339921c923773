create function tenancy.session_leftovers()
    returns text[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select array(
        select format('prepared statement "%s"', p.name) from pg_catalog.pg_prepared_statements p where p.from_sql
        union all
        select format('cursor "%s"', c.name) from pg_catalog.pg_cursors c where c.is_holdable
        union all
        select format('temporary object "%s"', coalesce(i.name, i.identity))
        from pg_catalog.pg_depend d
        cross join lateral pg_identify_object(d.classid, d.objid, 0) i
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = pg_my_temp_schema()
    );
$$;

comment on function tenancy.session_leftovers() is
    'What belongs to this session and outlives the transaction: prepared statements, cursors with hold, temporary objects.';
