create function tenancy.grant_guard()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_role name;
begin
    for v_role in
        select r.name
        from tenancy.roles_without_guard() r (name)
    loop
        execute format('grant usage on schema tenancy to %I', v_role);
        execute format(
            'grant execute on function tenancy.guard_request(text, tenancy.access_level)%s to %I',
            case when to_regprocedure('tenancy.pre_request()') is not null then ', tenancy.pre_request()' end,
            v_role
        );
    end loop;
end;
$$;

comment on function tenancy.grant_guard() is
    'Lets the API roles of the project execute the guard, before each of their requests. It refuses them every tenant, and lets other requests pass.';
