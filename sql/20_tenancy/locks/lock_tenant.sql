-- Asked twice: before the lock, so that a stranger never waits for one and learns nothing
-- from waiting; and under it, because the tenant may have been suspended, or the caller's
-- grant revoked, in the meantime. NO KEY UPDATE lets the foreign keys of grants through.
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
    'A tenant''s registry row, locked until the transaction ends, for a caller with this standing (errors of require_permission). Take it before touching anything of the tenant. Waits at most 2 s (55P03).';
