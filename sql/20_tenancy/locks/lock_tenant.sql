-- Permission is checked twice. Before the lock, so that a stranger never waits for it and
-- learns nothing from the wait. Under the lock, because the tenant may have been suspended,
-- or the caller's grant revoked, in the meantime.
create function tenancy.lock_tenant(
    schema_name text,
    platform tenancy.platform_role,
    member tenancy.access_level,
    even_pooled boolean default false
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
    perform tenancy.require_permission(schema_name, platform, member, even_pooled => even_pooled);
    v_tenant := tenancy.lock_tenant_row(schema_name);
    perform tenancy.require_permission(schema_name, platform, member, even_pooled => even_pooled);

    return v_tenant;
end;
$$;

comment on function tenancy.lock_tenant(text, tenancy.platform_role, tenancy.access_level, boolean) is
    'Locks a tenant''s registry row until the transaction ends, and returns it, for a caller with this permission (errors of require_permission, which hides a tenant in the pool; with even_pooled, only from callers below this platform role). Call it before changing anything of the tenant. Waits as lock_tenant_row does (55P03).';
