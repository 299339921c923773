-- Permission is checked twice. Before the lock, so that a stranger never waits for it and
-- learns nothing from the wait. Under the lock, because the tenant may have been suspended,
-- or the caller's grant revoked, in the meantime. NO KEY UPDATE does not block the foreign
-- keys of grants.
create function tenancy.lock_tenant(
    schema_name text,
    platform public.platform_role,
    member public.access_level
)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    perform tenancy.require_permission(schema_name, platform, member);

    select * into v_tenant
    from public.tenants t
    where t.schema_name = lock_tenant.schema_name
    for no key update;

    perform tenancy.require_permission(schema_name, platform, member);

    return v_tenant;
end;
$$;

comment on function tenancy.lock_tenant(text, public.platform_role, public.access_level) is
    'Locks a tenant''s registry row until the transaction ends, and returns it, for a caller with this permission (errors of require_permission). Call it before changing anything of the tenant. Waits at most 2 s (55P03).';
