create function tenancy.present_objects(out object text, out title text)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select format('dropped %s %s', o.catalog, o.object), concat_ws(' ', o.kind, concat_ws('.', quote_ident(n.nspname), quote_ident(o.name)))
    from (
        select 'pg_class', c.oid,
            case c.relkind
                when 'i' then 'index' when 'I' then 'index' when 'S' then 'sequence' when 'v' then 'view'
                when 'm' then 'materialized view' when 'f' then 'foreign table' else 'table'
            end,
            c.relnamespace, c.relname
        from pg_catalog.pg_class c
        union all
        select 'pg_proc', p.oid, 'routine', p.pronamespace, p.proname from pg_catalog.pg_proc p
        union all
        select 'pg_type', t.oid, 'type', t.typnamespace, t.typname
        from pg_catalog.pg_type t
        where t.typtype in ('d', 'e', 'r')
        union all
        select 'pg_namespace', s.oid, 'schema', null, s.nspname from pg_catalog.pg_namespace s
        union all
        select 'pg_publication', p.oid, 'publication', null, p.pubname from pg_catalog.pg_publication p
        union all
        select 'pg_extension', e.oid, 'extension', null, e.extname from pg_catalog.pg_extension e
        union all
        select 'pg_event_trigger', t.oid, 'event trigger', null, t.evtname from pg_catalog.pg_event_trigger t
        union all
        select 'pg_collation', c.oid, 'collation', c.collnamespace, c.collname from pg_catalog.pg_collation c
        union all
        select 'pg_foreign_server', s.oid, 'server', null, s.srvname from pg_catalog.pg_foreign_server s
    ) o (catalog, object, kind, namespace, name)
    left join pg_catalog.pg_namespace n on n.oid = o.namespace
    where n.nspname is null or n.nspname !~ '^(tenant_template$|pg_toast|pg_temp)';
$$;

comment on function tenancy.present_objects() is
    'The objects outside the reference schema, by the texts with which external_locks reports a dropped one. Read before a migration and fetched after it, they name what the migration has dropped.';
