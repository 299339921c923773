create function tenancy.lock_active_tenant(schema_name text)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant constant public.tenants := tenancy.lock_tenant(schema_name, 'super_admin', null);
begin
    if v_tenant.status <> 'active' then
        raise exception 'Tenant "%" is suspended, so no row is moved.', schema_name
            using errcode = 'object_not_in_prerequisite_state',
                hint = 'Activate it with activate_tenant, or split without it later.';
    end if;

    return v_tenant;
end;
$$;

comment on function tenancy.lock_active_tenant(text) is
    'Locks a tenant like lock_tenant, for the owner, and refuses a suspended one (55000, 55P03, PT404 tenant_not_found).';
