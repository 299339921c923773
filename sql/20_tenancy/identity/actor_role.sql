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
    'What the caller is now, as the audit log calls it: a platform role, tenant_<access level> in this tenant, service_role or postgres.';
