create function tenancy.creation_order(
    schema_name text,
    out catalog oid,
    out object oid,
    out place integer
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name))::oid;
    v_open text[];
    v_from text[];
    v_to text[];
    v_next text[];
    v_place integer := 0;
begin
    -- Objects, and what comes with them: the type of a table, its defaults, keys and checks.
    with objects as materialized (
        select 'pg_class'::regclass::oid as catalog, c.oid, c.relkind
        from pg_catalog.pg_class c
        where c.relnamespace = v_namespace
            and c.relkind in ('r', 'v', 'S')
            -- An identity column makes its sequence.
            and not exists (
                select from pg_catalog.pg_depend d
                where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'i'
                    and c.relkind = 'S'
            )
        union all
        select 'pg_type'::regclass, t.oid, t.typtype
        from pg_catalog.pg_type t
        left join pg_catalog.pg_class c on c.oid = t.typrelid
        where t.typnamespace = v_namespace and (t.typtype in ('d', 'e') or c.relkind = 'c')
        union all
        -- Trigger functions come with their triggers.
        select 'pg_proc'::regclass, p.oid, p.prokind
        from pg_catalog.pg_proc p
        join pg_catalog.pg_language l on l.oid = p.prolang
        where p.pronamespace = v_namespace
            and p.prokind in ('f', 'p')
            and p.prorettype <> 'trigger'::regtype
            and l.lanname not in ('internal', 'c')
    ),
    members as materialized (
        select o.catalog, o.oid, format('%s %s', o.catalog, o.oid) as object, o.relkind from objects o
        union all
        select 'pg_type'::regclass, t.oid, format('%s %s', o.catalog, o.oid), o.relkind
        from objects o
        join pg_catalog.pg_type t on t.typrelid = o.oid
        where o.catalog = 'pg_class'::regclass
        union all
        select 'pg_class'::regclass, t.typrelid, format('%s %s', o.catalog, o.oid), o.relkind
        from objects o
        join pg_catalog.pg_type t on t.oid = o.oid and t.typrelid <> 0
        where o.catalog = 'pg_type'::regclass
        union all
        select 'pg_type'::regclass, a.oid, format('%s %s', o.catalog, o.oid), o.relkind
        from objects o
        join pg_catalog.pg_type t on o.oid in (t.oid, t.typrelid)
        join pg_catalog.pg_type a on a.oid = t.typarray
        where o.catalog in ('pg_type'::regclass, 'pg_class'::regclass)
        union all
        select 'pg_attrdef'::regclass, d.oid, format('%s %s', o.catalog, o.oid), o.relkind
        from objects o
        join pg_catalog.pg_attrdef d on d.adrelid = o.oid
        union all
        select 'pg_constraint'::regclass, k.oid, format('%s %s', o.catalog, o.oid), o.relkind
        from objects o
        join pg_catalog.pg_constraint k on o.oid in (k.conrelid, k.contypid)
        where k.contype <> 'f'
        union all
        select 'pg_rewrite'::regclass, r.oid, format('%s %s', o.catalog, o.oid), o.relkind
        from objects o
        join pg_catalog.pg_rewrite r on r.ev_class = o.oid
    )
    select array(select m.object from members m group by m.object),
        array_agg(e.from_object), array_agg(e.to_object)
    into v_open, v_from, v_to
    from (
        select distinct m.object as from_object, t.object as to_object
        from members m
        join pg_catalog.pg_depend d on d.classid = m.catalog and d.objid = m.oid
        join members t on t.catalog = d.refclassid and t.oid = d.refobjid
        -- A sequence depends on the column that owns it, and exists before it.
        where m.object <> t.object and m.relkind <> 'S'
    ) e;

    -- Each round places what needs only objects that have a place. A circle stays out.
    loop
        v_next := array(
            select o.object
            from unnest(v_open) o (object)
            where not exists (
                select from unnest(v_from, v_to) e (from_object, to_object)
                where e.from_object = o.object and e.to_object = any (v_open)
            )
        );
        exit when cardinality(v_next) = 0;
        return query
        select split_part(n.object, ' ', 1)::oid, split_part(n.object, ' ', 2)::oid, v_place
        from unnest(v_next) n (object);
        v_open := array(select o.object from unnest(v_open) o (object) where o.object <> all (v_next));
        v_place := v_place + 1;
    end loop;
end;
$$;

comment on function tenancy.creation_order(text) is
    'The types, sequences, tables, views and routines of a schema, each with its place in an order in which they can be created. Left out are trigger functions, what comes with another object, and objects that need each other.';
