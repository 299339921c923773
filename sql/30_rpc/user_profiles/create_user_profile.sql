create function public.create_user_profile(
    schema_name text,
    user_id uuid,
    display_name text default null,
    role text default 'member',
    metadata jsonb default '{}'
)
    returns public.tenantry_user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_profile public.tenantry_user_profile;
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_user(user_id);
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_text('display_name', display_name, 200);
    perform tenancy.require_text('role', role, 100, shortest => 1);
    perform tenancy.require_metadata(metadata);
    if not tenancy.insert_profile(schema_name, user_id, display_name, role, metadata) then
        raise exception 'User % already has a profile in tenant "%".', user_id, schema_name
            using errcode = 'PT409', detail = 'profile_exists',
                hint = 'Read it with get_user_profile.';
    end if;
    v_profile := tenancy.find_profile(schema_name, user_id);

    -- Only the id, because platform staff read this log but no rows of tenants. The values
    -- are in the tenant's own audit log.
    perform tenancy.log_action(
        'profile.create', v_tenant, jsonb_build_object('after', jsonb_build_object('id', v_profile.id))
    );

    return v_profile;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.create_user_profile(text, uuid, text, text, jsonb) is
    'Creates a user''s profile in a tenant. '
    'A profile gives no access; grant_schema_access does. role is a label of your product; '
    'metadata is a JSON object. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, user_not_found, profile_exists, '
    'tenant_suspended, forbidden, not_authenticated, busy.';
