-- Together with schema_objects everything that distinguishes two schemas. An object of a kind that
-- neither knows appears by its name. One query for several schemas, because planning costs most.
create function tenancy.schema_details(
    schema_names text[],
    out schema_name text,
    out kind text,
    out name text,
    out definition text
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    set jit = off
    language sql
as $$
    with namespaces as materialized (
        select n.* from pg_catalog.pg_namespace n where n.nspname = any (schema_names)
    ),
    relations as materialized (
        select c.* from pg_catalog.pg_class c where c.relnamespace in (select n.oid from namespaces n)
    ),
    columns as materialized (
        select r.relnamespace, r.relname, r.relowner, a.*
        from relations r
        join pg_catalog.pg_attribute a on a.attrelid = r.oid
        where a.attnum > 0 and not a.attisdropped
    ),
    routines as materialized (
        select p.*, format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) as signature
        from pg_catalog.pg_proc p
        where p.pronamespace in (select n.oid from namespaces n)
    ),
    types as materialized (
        select t.* from pg_catalog.pg_type t where t.typnamespace in (select n.oid from namespaces n)
    ),
    statistics as materialized (
        select s.* from pg_catalog.pg_statistic_ext s where s.stxnamespace in (select n.oid from namespaces n)
    ),
    members as materialized (
        select n.oid as namespace, 'pg_namespace'::regclass::oid as catalog, n.oid from namespaces n
        union all
        select r.relnamespace, 'pg_class'::regclass, r.oid from relations r
        union all
        select p.pronamespace, 'pg_proc'::regclass, p.oid from routines p
        union all
        select t.typnamespace, 'pg_type'::regclass, t.oid from types t
        union all
        select s.stxnamespace, 'pg_statistic_ext'::regclass, s.oid from statistics s
        union all
        select k.connamespace, 'pg_constraint'::regclass, k.oid
        from pg_catalog.pg_constraint k
        where k.connamespace in (select n.oid from namespaces n)
        union all
        select r.relnamespace, 'pg_trigger'::regclass, g.oid
        from relations r
        join pg_catalog.pg_trigger g on g.tgrelid = r.oid
        union all
        select r.relnamespace, 'pg_policy'::regclass, p.oid
        from relations r
        join pg_catalog.pg_policy p on p.polrelid = r.oid
        union all
        select r.relnamespace, 'pg_rewrite'::regclass, w.oid
        from relations r
        join pg_catalog.pg_rewrite w on w.ev_class = r.oid
    ),
    privileges as (
        select n.oid as namespace, 'schema' as title, n.nspowner as owner, coalesce(n.nspacl, acldefault('n', n.nspowner)) as entries
        from namespaces n
        union all
        select r.relnamespace, 'relation ' || r.relname, r.relowner,
            coalesce(r.relacl, acldefault(case r.relkind when 'S' then 's' else 'r' end::"char", r.relowner))
        from relations r
        where r.relkind not in ('i', 'I', 'c')
        union all
        select c.relnamespace, format('column %s.%s', c.relname, c.attname), c.relowner, c.attacl
        from columns c
        where c.attacl is not null
        union all
        select p.pronamespace, 'routine ' || p.signature, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
        from routines p
        union all
        select t.typnamespace, 'type ' || t.typname, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
        from types t
        union all
        select n.oid, 'default for ' || d.defaclobjtype::text, d.defaclrole, d.defaclacl
        from namespaces n
        join pg_catalog.pg_default_acl d on d.defaclnamespace = n.oid
    )
    select n.nspname::text, d.kind, d.name, d.definition
    from (
        select p.namespace, 'privileges' as kind, p.title as name, concat_ws(
            ', ',
            p.owner::regrole::text,
            (select string_agg(e::text, ', ' order by e::text) from unnest(p.entries) e)
        ) as definition
        from privileges p
        union all
        select r.relnamespace, 'relation', r.relname::text, concat_ws(
            ', ',
            r.relkind::text, r.relpersistence::text,
            (select m.amname from pg_catalog.pg_am m where m.oid = r.relam),
            'tablespace ' || nullif(r.reltablespace, 0)::text,
            'of ' || nullif(r.reloftype, 0)::regtype::text,
            'replica identity ' || r.relreplident::text,
            (select string_agg(o, ' ' order by o) from unnest(r.reloptions) o),
            (
                select string_agg(format('toast.%s', o), ' ' order by o)
                from pg_catalog.pg_class t
                cross join unnest(t.reloptions) o
                where t.oid = r.reltoastrelid
            ),
            (
                select concat_ws(
                    ' ',
                    case when i.indisclustered then 'clustered' end,
                    case when i.indisreplident then 'replica identity' end,
                    case when not i.indisvalid or not i.indisready then 'invalid' end
                )
                from pg_catalog.pg_index i
                where i.indexrelid = r.oid
            ),
            (
                select string_agg('inherits ' || i.inhparent::regclass::text, ' ' order by i.inhseqno)
                from pg_catalog.pg_inherits i
                where i.inhrelid = r.oid
            )
        )
        from relations r
        union all
        select c.relnamespace, 'column', format('%s.%s', c.relname, c.attname), concat_ws(
            ', ',
            row_number() over (partition by c.attrelid order by c.attnum),
            'storage ' || c.attstorage::text,
            'compression ' || nullif(c.attcompression::text, ''),
            'statistics ' || nullif(c.attstattarget, -1)::text,
            array_to_string(c.attoptions, ' '),
            array_to_string(c.attfdwoptions, ' '),
            case when c.attndims > 0 then 'array' end,
            'inherited ' || nullif(c.attinhcount, 0)::text,
            case when not c.attislocal then 'not local' end,
            -- Of a view, too.
            (
                select 'default ' || pg_get_expr(d.adbin, d.adrelid)
                from pg_catalog.pg_attrdef d
                where d.adrelid = c.attrelid and d.adnum = c.attnum
            )
        )
        from columns c
        union all
        select k.connamespace, 'constraint', concat_ws('.', r.relname, t.typname, k.conname), concat_ws(
            ', ',
            k.contype::text,
            pg_get_constraintdef(k.oid),
            case when not k.convalidated then 'not valid' end,
            case when k.connoinherit then 'no inherit' end,
            k.conindid::regclass::text
        )
        from pg_catalog.pg_constraint k
        left join relations r on r.oid = k.conrelid
        left join types t on t.oid = k.contypid
        where k.connamespace in (select n.oid from namespaces n)
        union all
        select r.relnamespace, 'trigger', format('%s.%s', r.relname, g.tgname), format('%s, enabled %s', pg_get_triggerdef(g.oid), g.tgenabled)
        from relations r
        join pg_catalog.pg_trigger g on g.tgrelid = r.oid
        where not g.tgisinternal
        union all
        select r.relnamespace, 'rule', format('%s.%s', r.relname, w.rulename), pg_get_ruledef(w.oid)
        from relations r
        join pg_catalog.pg_rewrite w on w.ev_class = r.oid
        union all
        select t.typnamespace, 'domain', t.typname::text, concat_ws(
            ', ', format_type(t.typbasetype, t.typtypmod), t.typcollation::regcollation::text, t.typdefault,
            case when t.typnotnull then 'not null' end
        )
        from types t
        where t.typtype = 'd'
        union all
        select s.stxnamespace, 'statistics', s.stxname::text, concat_ws(
            ', ', pg_get_statisticsobjdef(s.oid), s.stxowner::regrole::text, nullif(s.stxstattarget, -1)::text
        )
        from statistics s
        union all
        select m.namespace, case d.classoid when 'pg_namespace'::regclass then 'comment of schema' else 'comment' end, format('%s %s', i.type, i.identity), d.description
        from members m
        join pg_catalog.pg_description d on d.classoid = m.catalog and d.objoid = m.oid
        cross join lateral pg_identify_object(d.classoid, d.objoid, d.objsubid) i
        union all
        select m.namespace, 'security label', format('%s %s %s', l.provider, i.type, i.identity), l.label
        from members m
        join pg_catalog.pg_seclabel l on l.classoid = m.catalog and l.objoid = m.oid
        cross join lateral pg_identify_object(l.classoid, l.objoid, l.objsubid) i
        union all
        select n.oid, 'object', format('%s %s', i.type, i.identity), d.deptype::text
        from namespaces n
        join pg_catalog.pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = n.oid
        cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) i
        union all
        -- What is published, and which extension an object belongs to.
        select m.namespace, 'dependent', format('%s %s', i.type, i.identity), format('%s of %s', d.deptype, o.identity)
        from members m
        join pg_catalog.pg_depend d on d.refclassid = m.catalog and d.refobjid = m.oid
        cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) i
        cross join lateral pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) o
        where d.classid in ('pg_publication_rel'::regclass, 'pg_publication_namespace'::regclass)
        union all
        select m.namespace, 'member', format('%s %s', i.type, i.identity), d.refobjid::text
        from members m
        join pg_catalog.pg_depend d on d.classid = m.catalog and d.objid = m.oid and d.deptype in ('e', 'x')
        cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) i
    ) d
    join namespaces n on n.oid = d.namespace;
$$;

comment on function tenancy.schema_details(text[]) is
    'What schema_objects leaves out of these schemas, each as text: privileges and owners, comments, order and storage of columns, options of relations, statistics, and objects of every other kind. Reads the whole catalog.';
