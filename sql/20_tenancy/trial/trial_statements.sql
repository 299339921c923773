create function tenancy.trial_statements(
    schema_name text,
    table_names text[],
    out verb text,
    out title text,
    out table_name text,
    out statement text
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select s.verb, s.title, s.table_name, s.statement
    from (
        select t.position, 1, 'fill', format('fill column "%s" of table "%s" with its default', a.attname, t.name), null,
            format('select %s', pg_get_expr(d.adbin, d.adrelid))
        from unnest(tenancy.table_oids(schema_name)) with ordinality o (oid, position)
        cross join lateral (select o.position, c.relname as name from pg_catalog.pg_class c where c.oid = o.oid) t
        join pg_catalog.pg_attrdef d on d.adrelid = o.oid
        join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
        where a.attgenerated = ''
            and (table_names is null or t.name = any (table_names))
            and has_table_privilege('authenticated', o.oid, 'insert')
        union all
        select o.position, v.place, v.verb, format('%s table "%s"', v.title, c.relname), c.relname, v.statement
        from unnest(tenancy.table_oids(schema_name)) with ordinality o (oid, position)
        join pg_catalog.pg_class c on c.oid = o.oid
        cross join lateral (
            values
            (2, 'insert', 'insert into', tenancy.trial_insert(o.oid, with_nullable => true)),
            (3, 'insert', 'insert into', tenancy.trial_insert(o.oid, with_nullable => false)),
            (4, 'select', 'read', format('select * from %s', o.oid::regclass)),
            (5, 'update', 'update', (
                select format('update %1$s set %2$I = %2$I', o.oid::regclass, a.attname)
                from pg_catalog.pg_attribute a
                where a.attrelid = o.oid
                    and a.attnum > 0
                    and not a.attisdropped
                    and a.attgenerated = ''
                    and a.attidentity = ''
                order by a.attnum
                limit 1
            )),
            (6, 'delete', 'delete from', format('delete from %s', o.oid::regclass))
        ) v (place, verb, title, statement)
        where has_table_privilege('authenticated', o.oid, v.verb)
            and v.statement is not null
            and (table_names is null or c.relname = any (table_names))
        union all
        select null, 7, 'select', format('read view "%s"', c.relname), null, format('select * from %s', c.oid::regclass)
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_class'::regclass
            and c.relkind = 'v'
            and has_table_privilege('authenticated', c.oid, 'select')
    ) s (position, place, verb, title, table_name, statement)
    -- The rows are deleted when everything has been read.
    order by s.verb = 'delete', s.position, s.place;
$$;

comment on function tenancy.trial_statements(text, text[]) is
    'The statements that try these tables, or all if table_names is null, and the views of a schema: for each table those that signed-in users may run, in an order in which each finds rows. table_name is null where a statement tries a default or a view.';
