-- PostgreSQL knows what a routine reads only if its body is standard SQL. No repair: the project
-- may have good reasons, and its requests would fail.
create function tenancy.check_routines_around()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select distinct
        'routine around the layers',
        format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
        format(
            'Everybody may call %s.%s, which reads %s with the rights of its owner.',
            n.nspname, p.proname, c.oid::regclass
        ),
        'Make the routine security invoker, or grant it only to the roles that need it.',
        null::text
    from pg_catalog.pg_depend d
    join pg_catalog.pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_class c on d.refclassid = 'pg_class'::regclass and c.oid = d.refobjid
    where p.prosecdef
        and n.nspname <> 'tenancy'
        and p.oid <> all (array(select to_regprocedure(s.signature)::oid from unnest(tenancy.rpc_signatures()) s (signature)))
        and (
            c.oid in (
                'public.tenants'::regclass, 'public.admin_users'::regclass,
                'public.user_schema_access'::regclass, 'public.admin_audit_log'::regclass
            )
            or exists (
                select
                from public.tenants t
                join pg_catalog.pg_namespace tn on tn.nspname = t.schema_name
                where tn.oid = c.relnamespace and tn.oid <> n.oid
            )
        )
        and exists (
            select
            from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
            where a.grantee in (0, 'anon'::regrole)
        );
$$;

comment on function tenancy.check_routines_around() is
    'Check: definer routines of the project that everybody may call and that read the registry or a tenant, as far as PostgreSQL knows.';
