create function tenancy.schema_privileges(
    schema_name text,
    out object_kind text,
    out object_name text,
    out grantee text,
    out privileges text
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with objects as (
        select 'schema' as kind, n.nspname::text as name, n.nspowner as owner, n.nspacl as acl, 0::oid as relation
        from pg_catalog.pg_namespace n
        where n.nspname = schema_name
        union all
        select case c.relkind when 'S' then 'sequence' when 'v' then 'view' when 'm' then 'materialized view' else 'table' end,
            c.relname::text, c.relowner, c.relacl, c.oid
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid and c.relkind <> 'c'
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_class'::regclass
        union all
        -- PostgreSQL lets everybody execute a new routine.
        select 'routine', format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), p.proowner,
            coalesce(p.proacl, acldefault('f', p.proowner)), 0
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_proc'::regclass
    )
    select o.kind, o.name,
        case a.grantee when 0 then 'PUBLIC' else a.grantee::regrole::text end,
        string_agg(a.privilege, ', ' order by a.privilege)
    from objects o
    cross join lateral (
        select e.grantee, lower(e.privilege_type) as privilege
        from aclexplode(o.acl) e
        union
        select e.grantee, format('%s (%I)', lower(e.privilege_type), c.attname)
        from pg_catalog.pg_attribute c
        cross join aclexplode(c.attacl) e
        where c.attrelid = o.relation
    ) a
    where a.grantee <> o.owner
    group by o.kind, o.name, a.grantee;
$$;

comment on function tenancy.schema_privileges(text) is
    'The privileges on a schema and on the objects in it, by object and role, except those of its owner.';
