create function tenancy.take_role(schema_name text, role_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Otherwise a later role of this name would belong to them.
    perform tenancy.lock_template_roles(array(
        select distinct r.name
        from public.user_schema_access a
        cross join unnest(a.roles) r (name)
        where a.schema_name = take_role.schema_name and take_role.role_name = any (a.roles)
    ));
    update public.user_schema_access a
    set roles = array_remove(a.roles, take_role.role_name),
        permissions = tenancy.role_permissions(a.schema_name, array_remove(a.roles, take_role.role_name))
    where a.schema_name = take_role.schema_name
        and take_role.role_name = any (a.roles);
    update tenancy.tenants_invitations i
    set roles = array_remove(i.roles, take_role.role_name)
    where i.schema_name = take_role.schema_name
        and i.ended_at is null
        and take_role.role_name = any (i.roles);
end;
$$;

comment on function tenancy.take_role(text, text) is
    'Takes a role from every grant and from every open invitation of a tenant. Only under a lock of the tenant, after the role was dropped (55P03).';
