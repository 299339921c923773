-- For a change that can be left for later. It never waits, so the caller may hold locks that come
-- later in the order.
create function tenancy.lock_tenant_if_free(
    schema_name text,
    platform tenancy.platform_role,
    member tenancy.access_level
)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    perform pg_advisory_xact_lock_shared(hashtextextended('tenancy.changing.' || schema_name, 0));
    if tenancy.is_closing(schema_name) then
        return null;
    end if;

    select * into v_tenant
    from public.tenants t
    where t.schema_name = lock_tenant_if_free.schema_name
    for no key update skip locked;
    -- Under the lock, as in lock_tenant.
    perform tenancy.require_permission(schema_name, platform, member);

    return v_tenant;
end;
$$;

comment on function tenancy.lock_tenant_if_free(text, tenancy.platform_role, tenancy.access_level) is
    'Locks a tenant''s registry row like lock_tenant, and returns it. Returns null at once if another session has the row or is about to close the tenant (errors of require_permission).';
