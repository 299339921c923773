-- Each RPC names the platform role and the access level that suffice for one tenant. Null
-- means that no platform role, or no access level, suffices.
create function tenancy.require_permission(
    schema_name text,
    platform tenancy.platform_role,
    member tenancy.access_level,
    even_suspended boolean default false,
    even_pooled boolean default false
)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_role tenancy.platform_role;
    v_access tenancy.access_level;
    v_status tenancy.tenant_status;
begin
    perform tenancy.require_signed_in();
    v_role := tenancy.platform_role();
    v_access := tenancy.access_level(schema_name);
    select t.status into v_status
    from public.tenants t
    where t.schema_name = require_permission.schema_name
        and (t.status <> 'pooled' or (even_pooled and v_role >= platform));

    -- A stranger must not be able to distinguish an existing tenant from a missing one. A tenant in
    -- the pool is missing for everybody but the callers who may do this with it.
    if v_status is null or (v_role is null and v_access is null) then
        perform tenancy.raise_tenant_not_found(schema_name);
    end if;

    if v_role >= platform then
        return;
    end if;

    if v_access >= member then
        if v_status = 'active' or even_suspended then
            return;
        end if;
        perform tenancy.log_refusal('tenant_suspended', schema_name);
        raise exception 'Tenant "%" is suspended.', schema_name
            using errcode = '42501', detail = 'tenant_suspended',
                hint = 'No data is lost. The tenant answers again once a platform admin activates it.';
    end if;

    perform tenancy.log_refusal('forbidden', schema_name);
    raise exception 'This operation needs % on tenant "%".',
        concat_ws(
            ' or ',
            'the access level "' || member || '"',
            'the platform role "' || platform || '"'
        ),
        schema_name
        using errcode = '42501', detail = 'forbidden',
            hint = 'Ask an admin of the tenant or of the platform.';
end;
$$;

comment on function tenancy.require_permission(text, tenancy.platform_role, tenancy.access_level, boolean, boolean) is
    'Refuses a caller with neither this platform role nor this access level in an active tenant; with even_suspended, the access level also suffices in a suspended one (PT401 not_authenticated; 42501: forbidden, tenant_suspended; PT404 tenant_not_found, the same for a stranger, for a missing tenant and for a tenant in the pool, except that even_pooled shows the latter to this platform role).';
