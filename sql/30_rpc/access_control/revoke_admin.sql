create function public.revoke_admin(user_id uuid)
    returns public.admin_users
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    -- Read before the change, which may end the caller's own role.
    v_actor_role constant text := tenancy.actor_role(null);
    v_before public.admin_users;
    v_ended jsonb;
begin
    perform tenancy.require_platform_role('super_admin');
    perform tenancy.require_argument('user_id', user_id::text);
    perform tenancy.require_other_super_admin(user_id);

    delete from public.admin_users a
    where a.user_id = revoke_admin.user_id
    returning * into v_before;
    if v_before.user_id is null then
        raise exception 'User % has no platform role.', user_id
            using errcode = 'PT404', detail = 'user_not_found',
                hint = 'There is nothing to revoke.';
    end if;

    select jsonb_agg(to_jsonb(e)) into v_ended from tenancy.end_support_accesses(user_id) e;

    perform tenancy.log_action(
        'admin.revoke', null,
        jsonb_build_object('before', to_jsonb(v_before))
        || jsonb_strip_nulls(jsonb_build_object('ended_support_access', v_ended)),
        v_actor_role
    );

    return v_before;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.revoke_admin(uuid) is
    'Takes a user''s platform role away and returns the role that ended. '
    'The change applies from the user''s next request on, and the user''s support access ends. '
    'The last super_admin whose role does not expire keeps it. '
    'Callers: super_admin. '
    'Errors: invalid_request, user_not_found, last_super_admin, forbidden, not_authenticated, '
    'busy.';
