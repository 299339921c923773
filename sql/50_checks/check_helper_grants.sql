-- Everything in tenancy is Tenantry's. A request runs these few helpers with its caller's role.
create function tenancy.check_helper_grants()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with due (kind, target, grantees) as (
        values
        ('schema', 'tenancy', '{anon,authenticated,service_role}'::text[]),
        ('table', 'tenancy.open_tenants', '{authenticated}'),
        ('function', 'tenancy.guard_request(text,tenancy.access_level)', '{anon,authenticated,service_role}'),
        ('function', 'tenancy.pre_request()', '{anon,authenticated,service_role}'),
        ('function', 'tenancy.caller()', '{authenticated}'),
        ('function', 'tenancy.is_platform_staff()', '{authenticated}'),
        ('function', 'tenancy.member_tenants()', '{authenticated}'),
        ('function', 'tenancy.administered_tenants()', '{authenticated}'),
        ('function', 'tenancy.administered_tenant_ids()', '{authenticated}'),
        ('function', 'tenancy.has_permission(text,text)', '{authenticated,service_role}')
    ),
    expected as (
        select d.kind, d.target, g.grantee,
            case d.kind when 'schema' then 'usage' when 'table' then 'select' else 'execute' end as privilege
        from due d
        cross join unnest(d.grantees) g (grantee)
    ),
    objects as (
        select 'schema' as kind, 'tenancy' as target, 'tenancy' as title, n.nspacl as acl, 0::oid as relation
        from pg_catalog.pg_namespace n
        where n.nspname = 'tenancy'
        union all
        select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text,
            'tenancy.' || c.relname, c.relacl, c.oid
        from pg_catalog.pg_class c
        where c.relnamespace = 'tenancy'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        union all
        select 'function', p.oid::regprocedure::text,
            format('tenancy.%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)),
            coalesce(p.proacl, acldefault('f', p.proowner)), 0
        from pg_catalog.pg_proc p
        where p.pronamespace = 'tenancy'::regnamespace
    ),
    actual as (
        select o.kind, o.target, o.title, null::text as column_name,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
            lower(a.privilege_type) as privilege
        from objects o
        cross join aclexplode(o.acl) a
        union all
        select 'column', o.target, o.title || '.' || c.attname, c.attname::text,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end,
            lower(a.privilege_type)
        from objects o
        join pg_catalog.pg_attribute c on c.attrelid = o.relation
        cross join aclexplode(c.attacl) a
    )
    select 'too wide', a.title,
        format(
            '%s has %s on the %s %s but should not have it.',
            case a.grantee when 'public' then 'PUBLIC' else a.grantee end, a.privilege, a.kind, a.title
        ),
        s.statement, s.statement
    from actual a
    cross join lateral format(
        'revoke %s%s on %s %s from %s;',
        a.privilege, ' (' || quote_ident(a.column_name) || ')',
        case a.kind when 'column' then 'table' else a.kind end, a.target, a.grantee
    ) s (statement)
    where a.grantee in ('public', 'anon', 'authenticated', 'service_role')
        and not exists (
            select
            from expected e
            where e.kind = a.kind and e.target = a.target and e.grantee = a.grantee and e.privilege = a.privilege
        )
    union all
    select 'missing grant', o.title,
        format('%s should have %s on the %s %s but does not have it.', e.grantee, e.privilege, e.kind, o.title),
        s.statement, s.statement
    from expected e
    join objects o on o.kind = e.kind and o.target = e.target
    cross join lateral format('grant %s on %s %s to %s;', e.privilege, e.kind, e.target, e.grantee) s (statement)
    where not exists (
        select
        from actual a
        where a.kind = e.kind and a.target = e.target and a.grantee = e.grantee and a.privilege = e.privilege
    )
    union all
    select 'missing grant', 'tenancy.guard_request of ' || r.name,
        format('The Data API may take on the role %s, which cannot execute the guard. Each of its requests fails.', r.name),
        'select tenancy.install_guard();', 'select tenancy.install_guard();'
    from tenancy.roles_without_guard() r (name)
    order by 1 desc, 2, 3;
$$;

comment on function tenancy.check_helper_grants() is
    'Check: who may use the schema tenancy and what is in it.';
