create function tenancy.refresh_permissions(role_name text, schema_name text default null)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Many grants carry the same roles.
    update public.user_schema_access a
    set permissions = d.permissions
    from (
        select g.schema_name, g.roles, tenancy.role_permissions(g.schema_name, g.roles) as permissions
        from (
            select distinct c.schema_name, c.roles
            from public.user_schema_access c
            where refresh_permissions.role_name = any (c.roles)
                and (refresh_permissions.schema_name is null or c.schema_name = refresh_permissions.schema_name)
        ) g
    ) d
    where a.schema_name = d.schema_name
        and a.roles = d.roles
        and a.permissions <> d.permissions;
end;
$$;

comment on function tenancy.refresh_permissions(text, text) is
    'Computes anew the permissions of the grants that carry this role: in one tenant, or in all if schema_name is null. Only under locks of the tenants and of the roles of the template.';
