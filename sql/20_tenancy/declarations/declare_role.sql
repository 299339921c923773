create function tenancy.declare_role(role_name text, permissions text[], description text default null)
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
declare
    v_permissions constant text[] := tenancy.require_permissions(permissions);
    v_before tenancy.template_roles;
    v_after tenancy.template_roles;
    v_tenant text;
begin
    perform tenancy.require_identifier(role_name, 'role');
    select * into v_before from tenancy.template_roles r where r.role_name = declare_role.role_name;
    if v_before.permissions = v_permissions and v_before.description is not distinct from declare_role.description then
        return;
    end if;

    -- In the order of the locks, before the role. A tenant whose first grant with this role is
    -- being written is not among them: that grant and this call wait for each other's role.
    perform
    from public.tenants t
    where exists (
        select from public.user_schema_access a
        where a.schema_name = t.schema_name and declare_role.role_name = any (a.roles)
    )
    order by t.schema_name
    for no key update;

    insert into tenancy.template_roles as r (role_name, permissions, description)
    values (role_name, v_permissions, description)
    on conflict on constraint template_roles_pkey do update
    set permissions = excluded.permissions, description = excluded.description, declared_at = now()
    where r.role_name = excluded.role_name
    returning * into v_after;

    select r.schema_name into v_tenant
    from tenancy.tenants_roles r
    where r.role_name = declare_role.role_name
    order by r.schema_name
    limit 1;
    if found then
        raise exception 'Tenant "%" has a role "%" of its own.', v_tenant, role_name
            using errcode = 'PT409', detail = 'role_exists',
                hint = 'Nothing was changed. Choose another name.';
    end if;

    perform tenancy.refresh_permissions(role_name);

    perform tenancy.log_action(
        'access.declare_role', null,
        jsonb_build_object(
            'before', case when v_before.role_name is not null then to_jsonb(v_before) end,
            'after', to_jsonb(v_after)
        )
    );
end;
$$;

comment on function tenancy.declare_role(text, text[], text) is
    'Declares a role that every tenant has, or changes it and what the grants that carry it give, in a migration of the project (PT400 invalid_identifier, PT404 permission_not_found, PT409 role_exists, 55P03).';
