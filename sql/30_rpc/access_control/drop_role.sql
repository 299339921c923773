create function public.drop_role(schema_name text, role_name text)
    returns public.tenantry_role
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_role tenancy.tenants_roles;
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_argument('role_name', role_name);

    delete from tenancy.tenants_roles r
    where r.schema_name = drop_role.schema_name and r.role_name = drop_role.role_name
    returning * into v_role;
    if v_role.role_name is null then
        raise exception 'Tenant "%" has no role "%" of its own.', schema_name, tenancy.printable(role_name)
            using errcode = 'PT404', detail = 'role_not_found',
                hint = 'Nothing was changed. list_roles lists the roles. Those of the template stay.';
    end if;
    perform tenancy.take_role(schema_name, role_name);

    perform tenancy.log_action('access.drop_role', v_tenant, jsonb_build_object('before', to_jsonb(v_role)));

    return row(v_role.role_name, v_role.permissions, v_role.description, false)::public.tenantry_role;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.drop_role(text, text) is
    'Drops a role of a tenant, takes it from its holders and from open invitations, and returns the role that ended. '
    'The members stay, with their level and their other roles. A role of the template cannot be '
    'dropped. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, role_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';
