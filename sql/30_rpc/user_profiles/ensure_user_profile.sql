create function public.ensure_user_profile(schema_name text, display_name text default null)
    returns public.tenantry_ensured_user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
    v_profile public.tenantry_user_profile;
    v_is_new boolean := false;
begin
    perform tenancy.require_permission(schema_name, platform => null, member => 'read');
    -- Before lock_tenant, under which nothing counts as activity.
    perform tenancy.note_activity(schema_name);

    -- Without a lock, because every sign-in calls this and nearly always finds a profile. If
    -- there is none, the block is rolled back, which unlocks the table. Otherwise this call
    -- would hold the table and wait for the tenant, while a deletion does the reverse.
    begin
        v_profile := tenancy.find_profile(schema_name, v_user_id);
        if v_profile.id is null then
            raise no_data_found;
        end if;
    exception
        when no_data_found then
            null;
    end;

    if v_profile.id is null then
        perform tenancy.require_user(v_user_id);
        v_tenant := tenancy.lock_tenant(schema_name, platform => null, member => 'read');
        perform tenancy.require_text('display_name', display_name, 200);
        v_is_new := tenancy.insert_profile(schema_name, v_user_id, display_name);
        v_profile := tenancy.find_profile(schema_name, v_user_id);
    elsif tenancy.refresh_email(schema_name, v_user_id) then
        v_profile := tenancy.find_profile(schema_name, v_user_id);
    end if;

    if v_is_new then
        -- Only the id, because platform staff read this log but no rows of tenants. The values
        -- are in the tenant's own audit log.
        perform tenancy.log_action(
            'profile.create', v_tenant, jsonb_build_object('after', jsonb_build_object('id', v_profile.id))
        );
    end if;

    return row(v_profile.*, v_is_new)::public.tenantry_ensured_user_profile;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.ensure_user_profile(text, text) is
    'Returns the caller''s own profile in a tenant; the first call creates it. '
    'is_new is true if this call created the profile. Any number of concurrent calls create '
    'one row. display_name is used for a new profile only. email is the address that Auth has '
    'now; an older copy in the tenant''s table is refreshed. '
    'Callers: member. '
    'Errors: invalid_request, tenant_not_found, tenant_suspended, forbidden, '
    'not_authenticated, user_not_found, busy.';
