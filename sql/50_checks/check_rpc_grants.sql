-- An RPC is known by its name and its argument types. Every other routine in public belongs to
-- the project.
create function tenancy.check_rpc_grants()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with rpcs as (
        select p.oid::regprocedure::text as target,
            format('public.%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)) as title,
            coalesce(p.proacl, acldefault('f', p.proowner)) as acl
        from unnest(tenancy.rpc_signatures()) s (signature)
        join pg_catalog.pg_proc p on p.oid = to_regprocedure(s.signature)
    ),
    actual as (
        select r.target, case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee
        from rpcs r
        cross join aclexplode(r.acl) a
    )
    select 'too wide', r.title,
        format(
            '%s has execute on the routine %s but should not have it.',
            case a.grantee when 'public' then 'PUBLIC' else a.grantee end, r.title
        ),
        s.statement, s.statement
    from rpcs r
    join actual a on a.target = r.target and a.grantee in ('public', 'anon')
    cross join lateral format('revoke execute on function %s from %s;', r.target, a.grantee) s (statement)
    union all
    select 'missing grant', r.title,
        format('%s should have execute on the routine %s but does not have it.', g.grantee, r.title),
        s.statement, s.statement
    from rpcs r
    cross join (values ('authenticated'), ('service_role')) g (grantee)
    cross join lateral format('grant execute on function %s to %s;', r.target, g.grantee) s (statement)
    where not exists (select from actual a where a.target = r.target and a.grantee = g.grantee)
    order by 1 desc, 2, 3;
$$;

comment on function tenancy.check_rpc_grants() is
    'Check: who may execute the RPCs. Other routines of public are the project''s own and are not judged.';
