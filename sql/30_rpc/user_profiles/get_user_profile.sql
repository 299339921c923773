create function public.get_user_profile(schema_name text, user_id uuid default null)
    returns public.tenantry_user_profile
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := coalesce(user_id, (tenancy.caller()).user_id);
    v_profile public.tenantry_user_profile;
begin
    perform tenancy.require_permission(schema_name, platform => null, member => 'read');

    v_profile := tenancy.find_profile(schema_name, v_user_id);
    if v_profile.id is null then
        raise exception 'User % has no profile in tenant "%".', v_user_id, schema_name
            using errcode = 'PT404', detail = 'profile_not_found',
                hint = 'The user gets one by calling ensure_user_profile, or an admin creates it with create_user_profile.';
    end if;

    if tenancy.refresh_email(schema_name, v_user_id) then
        v_profile := tenancy.find_profile(schema_name, v_user_id);
    end if;

    return v_profile;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_user_profile(text, uuid) is
    'Returns a user''s profile in a tenant; without user_id, the caller''s own. '
    'email is the address that Auth has now, or the copy if the user has no access any more. If the copy in the tenant''s table differs, a POST '
    'refreshes the copy, which is logged as profile.refresh. '
    'Callers: member. '
    'Errors: tenant_not_found, profile_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';
