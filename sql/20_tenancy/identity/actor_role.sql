create function tenancy.actor_role(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
begin
    if v_caller.kind <> 'user' then
        return v_caller.kind;
    end if;

    return coalesce(
        tenancy.platform_role()::text,
        'tenant_' || tenancy.access_level(schema_name),
        'user'
    );
end;
$$;

comment on function tenancy.actor_role(text) is
    'The caller''s present role, as the audit log records it: a platform role, tenant_<access level> in this tenant, user, service_role, postgres or nobody.';
