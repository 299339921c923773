create function tenancy.check_api_roles()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'API role passes policies',
        r.rolname::text,
        case
            when p.oid = r.oid then format('The role %I bypasses row level security.', r.rolname)
            else format('The role %I is a member of %I, which bypasses row level security.', r.rolname, p.rolname)
        end,
        case
            when p.oid = r.oid then format('alter role %I nobypassrls nosuperuser;', r.rolname)
            else format('revoke %I from %I;', p.rolname, r.rolname)
        end,
        null
    from pg_catalog.pg_roles r
    join pg_catalog.pg_roles p on pg_has_role(r.oid, p.oid, 'member')
    where r.rolname in ('anon', 'authenticated')
        -- A superuser is a member of every role.
        and (p.oid = r.oid or not r.rolsuper)
        and (p.rolbypassrls or p.rolsuper);
$$;

comment on function tenancy.check_api_roles() is
    'Check: anon or authenticated bypasses row level security, by an attribute of its own or of a role that it may act as. The service key does so on every Supabase project.';
