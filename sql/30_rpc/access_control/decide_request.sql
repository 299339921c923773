create function public.decide_request(
    schema_name text,
    user_id uuid,
    approve boolean,
    access_level tenancy.access_level default 'read',
    expires_at timestamptz default null
)
    returns public.tenantry_access_request
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
    v_request public.tenantry_access_request;
    v_before public.user_schema_access;
    v_after public.user_schema_access;
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_user(user_id);
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_argument('approve', approve::text);
    v_request := tenancy.end_request(schema_name, user_id, is_refused => not approve);

    if not approve then
        perform tenancy.log_action(
            'request.refuse', v_tenant, jsonb_build_object('before', to_jsonb(v_request))
        );
        return v_request;
    end if;

    perform tenancy.require_argument('access_level', access_level::text);
    perform tenancy.require_grantable(schema_name, user_id, access_level, expires_at);
    select * into v_before
    from public.user_schema_access a
    where a.user_id = decide_request.user_id and a.schema_name = decide_request.schema_name;
    if v_before.user_id is not null and (v_before.expires_at <= statement_timestamp()) is not true then
        raise exception 'User % is a member of tenant "%" already.', user_id, schema_name
            using errcode = 'PT409', detail = 'member_exists',
                hint = 'Nothing was changed. Refuse the request, or change the access with grant_schema_access.';
    end if;
    v_after := tenancy.give_access(user_id, schema_name, access_level, expires_at, v_caller.user_id, roles => '{}');

    perform tenancy.log_action(
        'access.grant', v_tenant,
        jsonb_build_object(
            'before', case when v_before.user_id is not null then to_jsonb(v_before) end,
            'after', to_jsonb(v_after),
            'request', v_request.id
        )
    );

    return v_request;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.decide_request(text, uuid, boolean, tenancy.access_level, timestamptz) is
    'Approves or refuses a user''s request for access to a tenant, and returns the request that ended. '
    'Approving gives access with this level until expires_at, or without an end, under the rules of '
    'grant_schema_access: a tenant admin whose own access expires can give neither the level admin '
    'nor access beyond that moment. A refused user can repeat the request after seven days. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, user_not_found, request_not_found, member_exists, '
    'own_grant, tenant_suspended, forbidden, not_authenticated, busy.';
