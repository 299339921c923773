create function public.list_roles(schema_name text)
    returns setof public.tenantry_role
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => 'viewer', member => 'read');

    return query
    select r.* from tenancy.all_roles(schema_name) r order by r.role_name;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_roles(text) is
    'Lists the roles of a tenant by name, with their permissions: those of the template and its own. '
    'Callers: member, platform viewer. '
    'Errors: tenant_not_found, tenant_suspended, not_authenticated, busy.';
