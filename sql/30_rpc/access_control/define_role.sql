create function public.define_role(
    schema_name text,
    role_name text,
    permissions text[],
    description text default null
)
    returns public.tenantry_role
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_permissions text[];
    v_tenant public.tenants;
    v_before tenancy.tenants_roles;
    v_after tenancy.tenants_roles;
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_identifier(role_name, 'role');
    perform tenancy.require_text('description', description, 1000);
    v_permissions := tenancy.require_permissions(permissions);
    perform tenancy.require_definable(schema_name, role_name);

    select * into v_before
    from tenancy.tenants_roles r
    where r.schema_name = define_role.schema_name and r.role_name = define_role.role_name;
    if v_before.permissions = v_permissions
        and v_before.description is not distinct from define_role.description
    then
        return row(role_name, v_permissions, description, false)::public.tenantry_role;
    end if;

    insert into tenancy.tenants_roles as r (schema_name, role_name, permissions, description)
    values (schema_name, role_name, v_permissions, description)
    on conflict on constraint tenants_roles_pkey do update
    set permissions = excluded.permissions, description = excluded.description
    where r.schema_name = excluded.schema_name and r.role_name = excluded.role_name
    returning * into v_after;
    perform tenancy.refresh_permissions(role_name, schema_name);

    perform tenancy.log_action(
        'access.define_role', v_tenant,
        jsonb_build_object(
            'before', case when v_before.role_name is not null then to_jsonb(v_before) end,
            'after', to_jsonb(v_after)
        )
    );

    return row(role_name, v_permissions, description, false)::public.tenantry_role;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.define_role(text, text, text[], text) is
    'Defines a role of a tenant as a set of permissions, or changes it and what its holders may do. '
    'The permissions and the description replace the old ones, from the next request of its '
    'holders on. The project declares the permissions. A role of the template cannot be changed. '
    'Repeating a call changes nothing. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, invalid_identifier, tenant_not_found, permission_not_found, '
    'role_exists, role_limit, tenant_suspended, forbidden, not_authenticated, busy.';
