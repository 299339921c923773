-- A project may have API roles of its own. A member of anon inherits what the guard needs.
create function tenancy.roles_without_guard()
    returns setof name
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select r.rolname
    from pg_catalog.pg_roles r
    where pg_has_role('authenticator', r.oid, 'member')
        and r.rolname <> all ('{authenticator,anon,authenticated,service_role}')
        and not r.rolname ~ '^pg_'
        and not (
            has_schema_privilege(r.oid, 'tenancy', 'usage')
            and has_function_privilege(r.oid, 'tenancy.guard_request(text, tenancy.access_level)', 'execute')
            and coalesce(has_function_privilege(r.oid, to_regprocedure('tenancy.pre_request()'), 'execute'), true)
        )
    order by 1;
$$;

comment on function tenancy.roles_without_guard() is
    'The roles of the project that the Data API may take on, and whose requests all fail, because they cannot execute the guard.';
