create function tenancy.check_registry_access()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with registry as (
        select c.oid, c.relname::text as name, c.relkind = 'S' as is_sequence, c.relacl as acl, c.relrowsecurity as has_rls
        from pg_catalog.pg_class c
        where c.oid in (
            'public.tenants'::regclass, 'public.admin_users'::regclass,
            'public.user_schema_access'::regclass, 'public.admin_audit_log'::regclass,
            to_regclass('public.admin_audit_log_id_seq')
        )
    ),
    actual as (
        select r.oid, r.name, r.is_sequence, null::text as column_name,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
            lower(a.privilege_type) as privilege
        from registry r
        cross join aclexplode(r.acl) a
        union all
        select r.oid, r.name || '.' || c.attname, r.is_sequence, c.attname::text,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end,
            lower(a.privilege_type)
        from registry r
        join pg_catalog.pg_attribute c on c.attrelid = r.oid
        cross join aclexplode(c.attacl) a
    )
    select 'RLS off', 'public.' || r.name,
        format('Row level security is off on public.%s. Everybody who is signed in reads the whole table.', r.name),
        s.statement, s.statement
    from registry r
    cross join lateral format('alter table public.%I enable row level security;', r.name) s (statement)
    where not r.is_sequence and not r.has_rls
    union all
    select 'too wide', 'public.' || a.name,
        format(
            '%s has %s on public.%s but should not have it.',
            case a.grantee when 'public' then 'PUBLIC' else a.grantee end, a.privilege, a.name
        ),
        s.statement, s.statement
    from actual a
    cross join lateral format(
        'revoke %s%s on %s %s from %s;',
        a.privilege, ' (' || quote_ident(a.column_name) || ')',
        case when a.is_sequence then 'sequence' else 'table' end, a.oid::regclass, a.grantee
    ) s (statement)
    where a.grantee in ('public', 'anon', 'authenticated', 'service_role')
        and not (
            a.grantee in ('authenticated', 'service_role')
            and a.privilege = 'select'
            and a.column_name is null
            and not a.is_sequence
        )
    union all
    select 'missing grant', 'public.' || r.name,
        format('%s should have select on public.%s but does not have it.', g.grantee, r.name),
        s.statement, s.statement
    from registry r
    cross join (values ('authenticated'), ('service_role')) g (grantee)
    cross join lateral format('grant select on table public.%I to %s;', r.name, g.grantee) s (statement)
    where not r.is_sequence
        -- A grant would open a table that has no row level security.
        and r.has_rls
        and not exists (
            select
            from actual a
            where a.oid = r.oid and a.column_name is null and a.grantee = g.grantee and a.privilege = 'select'
        )
    order by 1 desc, 2, 3;
$$;

comment on function tenancy.check_registry_access() is
    'Check: who may use the tables of the registry, and whether their row level security is on.';
