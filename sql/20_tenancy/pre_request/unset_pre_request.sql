create function tenancy.unset_pre_request()
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select l.name
    from tenancy.find_pre_request() f
    cross join substring(
        obj_description(to_regprocedure('tenancy.pre_request()'), 'pg_proc')
        from '^Calls (.+), which the project has set for all databases, and then the guard\.$'
    ) l (name)
    where f.function_name is null
        and tenancy.resolve_pre_request(l.name) is not null;
$$;

comment on function tenancy.unset_pre_request() is
    'The function of the project that tenancy.pre_request() was made for, if it still exists and the project has no setting for a pre-request function any more; otherwise null.';
