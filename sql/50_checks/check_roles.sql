create function tenancy.check_roles()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with roles as materialized (
        select null as schema_name, t.role_name, t.permissions from tenancy.template_roles t
        union all
        select r.schema_name, r.role_name, r.permissions from tenancy.tenants_roles r
    ),
    grants as materialized (
        select a.schema_name, a.user_id, a.roles, a.permissions,
            array(
                select g.name
                from unnest(a.roles) g (name)
                where not exists (
                    select
                    from roles r
                    where r.role_name = g.name and (r.schema_name is null or r.schema_name = a.schema_name)
                )
            ) as unknown,
            array(
                select p.name
                from roles r
                cross join unnest(r.permissions) p (name)
                where r.role_name = any (a.roles) and (r.schema_name is null or r.schema_name = a.schema_name)
            ) as due
        from public.user_schema_access a
        where a.roles <> '{}' or a.permissions <> '{}'
    )
    select
        'too many permissions',
        format('%s in %s', g.user_id, g.schema_name),
        format(
            'User %s has %s in tenant %s, which no role of the grant gives.',
            g.user_id,
            array_to_string(array(select p.name from unnest(g.permissions) p (name) where p.name <> all (g.due)), ', '),
            g.schema_name
        ),
        s.statement, s.statement
    from grants g
    cross join lateral format('select tenancy.narrow_permissions(%L, %L);', g.schema_name, g.user_id) s (statement)
    where not g.permissions <@ g.due
    union all
    select
        'unknown role',
        format('%s in %s', g.user_id, g.schema_name),
        format(
            'The grant of user %s in tenant %s carries %s, which is no role. A later role of this name would belong to the user.',
            g.user_id, g.schema_name, array_to_string(g.unknown, ', ')
        ),
        s.statement, s.statement
    from grants g
    cross join lateral format('select tenancy.narrow_permissions(%L, %L);', g.schema_name, g.user_id) s (statement)
    where g.unknown <> '{}'
    union all
    -- A repair never opens anything.
    select
        'too few permissions',
        format('%s in %s', g.user_id, g.schema_name),
        format(
            'User %s lacks %s in tenant %s, although a role of the grant gives it.',
            g.user_id,
            array_to_string(array(select p.name from unnest(g.due) p (name) where p.name <> all (g.permissions)), ', '),
            g.schema_name
        ),
        format('If the user should have it: select tenancy.refresh_permissions(%L, %L);', g.roles[1], g.schema_name),
        null
    from grants g
    where not g.due <@ g.permissions
    order by 1 desc, 2;
$$;

comment on function tenancy.check_roles() is
    'Check: grants whose permissions are not those of their roles, and grants that carry a name which is no role.';
