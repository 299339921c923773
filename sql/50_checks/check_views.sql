create function tenancy.check_views()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select distinct
        'view around the layers',
        format('%s.%s', vn.nspname, v.relname),
        format(
            'API roles may read the view %s.%s, which reads rows of tenant %s with the rights of the view''s owner.',
            vn.nspname, v.relname, t.schema_name
        ),
        s.statement || ' Or set security_invoker on the view.',
        s.statement
    from pg_catalog.pg_depend d
    join pg_catalog.pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
    join pg_catalog.pg_class v on v.oid = w.ev_class
    join pg_catalog.pg_namespace vn on vn.oid = v.relnamespace
    join pg_catalog.pg_class c on d.refclassid = 'pg_class'::regclass and c.oid = d.refobjid
    join pg_catalog.pg_namespace tn on tn.oid = c.relnamespace
    join public.tenants t on t.schema_name = tn.nspname
    cross join lateral format(
        'revoke all on %I.%I from public, anon, authenticated, service_role;', vn.nspname, v.relname
    ) s (statement)
    where vn.oid <> tn.oid
        and not (v.relkind = 'v' and tenancy.is_security_invoker(v.reloptions))
        and exists (
            select
            from aclexplode(v.relacl) a
            where a.grantee in (0, 'anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)
        )
    order by 2, 3;
$$;

comment on function tenancy.check_views() is
    'Check: views in other schemas that show rows of a tenant to API roles with the rights of their owner.';
