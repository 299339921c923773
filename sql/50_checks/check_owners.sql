create function tenancy.check_owners(schema_name text)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'wrong owner',
        w.object_name,
        format(
            'The %s %s belongs to the role %s and not to %s. Its owner can use and change it past every layer.',
            w.object_kind, w.object_name, w.owner, w.expected
        ),
        case
            when w.runs_as_owner then 'It runs with the rights of its owner, so read its definition first. Then: '
            when not pg_has_role(w.owner::regrole, 'usage') then format('As a superuser, or as a member of %s: ', w.owner)
            else ''
        end || s.statement,
        case when pg_has_role(w.owner::regrole, 'usage') and not w.runs_as_owner then s.statement end
    from tenancy.wrong_owners(schema_name) w
    cross join lateral format('alter %s %s owner to %s;', w.object_kind, w.object_name, w.expected) s (statement)
    -- check_audit_routines reports the others.
    where not w.is_audit_routine
    order by w.object_kind <> 'schema', w.object_name;
end;
$$;

comment on function tenancy.check_owners(text) is
    'Check: objects of a tenant that belong to another role than Tenantry''s own.';
