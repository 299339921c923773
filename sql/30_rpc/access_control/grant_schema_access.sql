create function public.grant_schema_access(
    schema_name text,
    user_id uuid,
    access_level tenancy.access_level default 'read',
    expires_at timestamptz default null,
    roles text[] default null
)
    returns public.user_schema_access
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_tenant public.tenants;
    v_roles text[];
    v_before public.user_schema_access;
    v_after public.user_schema_access;
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_user(user_id);
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_argument('access_level', access_level::text);
    v_roles := tenancy.require_roles(schema_name, roles);
    perform tenancy.require_grantable(schema_name, user_id, access_level, expires_at);
    perform tenancy.require_revocable(schema_name, user_id);

    select * into v_before
    from public.user_schema_access a
    where a.user_id = grant_schema_access.user_id
        and a.schema_name = grant_schema_access.schema_name;
    if v_before.access_level = grant_schema_access.access_level
        and v_before.expires_at is not distinct from grant_schema_access.expires_at
        and v_before.roles = coalesce(v_roles, v_before.roles)
    then
        return v_before;
    end if;

    v_after := tenancy.give_access(user_id, schema_name, access_level, expires_at, v_caller.user_id, v_roles);

    perform tenancy.log_action(
        'access.grant', v_tenant,
        jsonb_build_object(
            'before', case when v_before.user_id is not null then to_jsonb(v_before) end,
            'after', to_jsonb(v_after)
        )
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.grant_schema_access(text, uuid, tenancy.access_level, timestamptz, text[]) is
    'Gives a user access to a tenant, or changes the access that the user has. '
    'The new level and end replace the old ones. Without expires_at the access lasts until it '
    'is revoked. roles replaces the roles of the user; without it the user '
    'keeps those of an unexpired grant. Repeating a call changes nothing. Nobody can change their own grant. '
    'Platform staff become members only by an admin of the tenant itself, or by the service '
    'key; they look inside with open_support_access. An admin whose own access expires, such '
    'as support access, can grant neither the level admin nor access beyond that moment, and '
    'cannot change access that ends later. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, user_not_found, role_not_found, own_grant, '
    'tenant_suspended, forbidden, not_authenticated, busy.';
