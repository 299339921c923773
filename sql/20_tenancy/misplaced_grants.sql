create function tenancy.misplaced_grants(schema_name text)
    returns setof tenancy.tenant_grant
    stable
    security definer
    set search_path = ''
    set jit = off
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name));
begin
    return query
    with relations as materialized (
        select c.oid, c.relkind, c.relowner, c.relacl
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_class'::regclass
            and c.relkind <> 'c'
    ),
    objects as (
        select 'schema' as object_kind, quote_ident(schema_name) as object_name, n.nspowner as owner, n.nspacl as acl
        from pg_catalog.pg_namespace n
        where n.oid = v_namespace
        union all
        select case r.relkind when 'S' then 'sequence' else 'table' end, r.oid::regclass::text, r.relowner, r.relacl
        from relations r
        union all
        -- Privileges on columns, which nobody is to have, go with those on their table.
        select 'table', r.oid::regclass::text, r.relowner, a.attacl
        from relations r
        cross join lateral (
            select a.attacl from pg_catalog.pg_attribute a where a.attrelid = r.oid and a.attacl is not null offset 0
        ) a
        union all
        -- Routines everybody may call until told otherwise.
        select 'routine', p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_proc'::regclass
    ),
    found as (
        select o.object_kind, o.object_name,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
            string_agg(lower(a.privilege_type), ', ' order by lower(a.privilege_type)) as verbs
        from objects o
        cross join aclexplode(o.acl) a
        where a.grantee <> o.owner
        group by o.object_kind, o.object_name, a.grantee
    ),
    expected as (
        select p.object_kind, p.object_name, r.grantee, p.verbs
        from tenancy.tenant_privileges(schema_name) p
        cross join unnest(array['authenticated', 'service_role']) r (grantee)
    )
    select
        coalesce(e.object_kind, f.object_kind),
        coalesce(e.object_name, f.object_name),
        coalesce(e.grantee, f.grantee),
        e.verbs,
        f.verbs
    from expected e
    full join found f
        on f.object_kind = e.object_kind and f.object_name = e.object_name and f.grantee = e.grantee
    where e.verbs is distinct from f.verbs;
end;
$$;

comment on function tenancy.misplaced_grants(text) is
    'Where the privileges in a tenant are not those of tenant_privileges: who was to have which, and has which.';
