create function tenancy.privilege_differences(schema_name text)
    returns setof public.schema_difference
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name));
begin
    return query
    with relations as materialized (
        select c.*
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_class'::regclass
    ),
    objects as (
        select 'schema' as object_kind, quote_ident(schema_name) as object_name, n.nspowner as owner, n.nspacl as acl
        from pg_catalog.pg_namespace n
        where n.oid = v_namespace
        union all
        select case r.relkind when 'S' then 'sequence' else 'table' end, r.oid::regclass::text, r.relowner, r.relacl
        from relations r
        union all
        select 'column', format('%s.%I', r.oid::regclass, a.attname), r.relowner, a.attacl
        from relations r
        join pg_catalog.pg_attribute a on a.attrelid = r.oid
        union all
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
        'grant',
        format(
            'on %s %s to %s',
            coalesce(e.object_kind, f.object_kind),
            coalesce(e.object_name, f.object_name),
            coalesce(e.grantee, f.grantee)
        ),
        case when f.grantee is null then 'missing' when e.grantee is null then 'extra' else 'different' end,
        e.verbs,
        f.verbs
    from expected e
    full join found f
        on f.object_kind = e.object_kind and f.object_name = e.object_name and f.grantee = e.grantee
    where e.verbs is distinct from f.verbs
    order by 2;
end;
$$;

comment on function tenancy.privilege_differences(text) is
    'In what the privileges on a tenant''s schema, tables, columns, sequences and routines are not those of tenant_privileges.';
