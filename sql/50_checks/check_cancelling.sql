-- Requests run in sessions of authenticator. suspend_tenant runs with the rights of its owner.
create function tenancy.check_cancelling()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'cannot cancel',
        r.rolname::text,
        format(
            'The role %s may not cancel statements of other sessions. A suspension then waits for whoever '
            'changes the tenant, and answers busy after 2.5 s.',
            r.rolname
        ),
        format('As a superuser, or as a role that may grant it: grant pg_signal_backend to %I;', r.rolname),
        null::text
    from pg_catalog.pg_proc p
    join pg_catalog.pg_roles r on r.oid = p.proowner
    where p.oid = to_regprocedure('public.suspend_tenant(text, text)')
        and not pg_has_role(r.oid, 'pg_signal_backend', 'usage')
        and not pg_has_role(r.oid, 'authenticator', 'usage');
$$;

comment on function tenancy.check_cancelling() is
    'Check: the owner of suspend_tenant may cancel the statements that cancel_changes has to cancel.';
