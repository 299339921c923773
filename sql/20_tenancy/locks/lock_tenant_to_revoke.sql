create function tenancy.lock_tenant_to_revoke(schema_name text, user_id uuid)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_is_own constant boolean := coalesce(user_id = (tenancy.caller()).user_id, false);
begin
    -- An admin of the tenant could otherwise hold off the end of their own access.
    if tenancy.platform_role() >= 'admin' and not v_is_own then
        return tenancy.lock_tenant_first(schema_name, platform => 'admin');
    end if;

    return tenancy.lock_tenant(
        schema_name,
        platform => 'admin',
        member => case when v_is_own then 'read'::tenancy.access_level else 'admin' end
    );
end;
$$;

comment on function tenancy.lock_tenant_to_revoke(text, uuid) is
    'Locks a tenant for the end of a user''s access: for an admin of the tenant or of the platform, or for the user (errors of lock_tenant and of lock_tenant_first).';
