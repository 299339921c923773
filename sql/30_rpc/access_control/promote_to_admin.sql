create function public.promote_to_admin(
    user_id uuid,
    role tenancy.platform_role default 'admin',
    expires_at timestamptz default null
)
    returns public.admin_users
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    -- Read before the change, which may end the caller's own role.
    v_actor_role constant text := tenancy.actor_role(null);
    v_before public.admin_users;
    v_after public.admin_users;
    v_ended jsonb;
    v_shortened jsonb;
begin
    perform tenancy.require_platform_role('super_admin');
    perform tenancy.require_user(user_id);
    -- Check again under the lock: the caller may have been deleted while this call waited.
    perform tenancy.require_platform_role('super_admin');
    perform tenancy.require_promotable(role, expires_at);
    if role < 'super_admin' or expires_at is not null then
        perform tenancy.require_other_super_admin(user_id);
    end if;

    select * into v_before from public.admin_users a where a.user_id = promote_to_admin.user_id for update;
    if v_before.role = promote_to_admin.role
        and v_before.expires_at is not distinct from promote_to_admin.expires_at
    then
        return v_before;
    end if;

    insert into public.admin_users as a (user_id, role, granted_by, expires_at)
    values (user_id, role, v_caller.user_id, expires_at)
    on conflict on constraint admin_users_pkey do update
    set role = excluded.role, granted_by = excluded.granted_by, expires_at = excluded.expires_at
    where a.user_id = excluded.user_id
    returning * into v_after;
    if role < 'admin' then
        select jsonb_agg(to_jsonb(e)) into v_ended from tenancy.end_support_accesses(user_id) e;
    elsif expires_at is not null then
        select jsonb_agg(to_jsonb(s)) into v_shortened
        from tenancy.shorten_support_accesses(user_id, expires_at) s;
    end if;

    perform tenancy.log_action(
        'admin.promote', null,
        jsonb_build_object(
            'before', case when v_before.user_id is not null then to_jsonb(v_before) end,
            'after', to_jsonb(v_after)
        ) || jsonb_strip_nulls(
            jsonb_build_object('ended_support_access', v_ended, 'shortened_support_access', v_shortened)
        ),
        v_actor_role
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.promote_to_admin(uuid, tenancy.platform_role, timestamptz) is
    'Gives a user a platform role. '
    'The new role and end replace those that the user had, which may be higher or later. Without '
    'expires_at the role lasts until it is revoked. From that moment on it gives nothing. A '
    'super_admin whose own role expires can give neither the role super_admin nor a role beyond '
    'that moment. The first super_admin is appointed with the service key. One super_admin whose '
    'role does not expire always stays. Support access ends with the role admin, and no later '
    'than expires_at. Repeating a call changes nothing. '
    'Callers: super_admin. '
    'Errors: invalid_request, user_not_found, last_super_admin, forbidden, not_authenticated, '
    'busy.';
