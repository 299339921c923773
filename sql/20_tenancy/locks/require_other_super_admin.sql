create function tenancy.require_other_super_admin(user_id uuid)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Users before staff: one who is being deleted takes along the names of those they
    -- appointed, in no order that could be kept here.
    perform tenancy.lock_users(
        user_id || array(select a.user_id from public.admin_users a where a.role = 'super_admin')
    );
    if tenancy.lock_super_admins() = array[user_id] then
        raise exception 'This is the last super_admin.'
            using errcode = 'PT409', detail = 'last_super_admin',
                hint = 'Appoint another with promote_to_admin first.';
    end if;

    -- Whoever was waiting may have been revoked in the meantime.
    perform tenancy.require_platform_role('super_admin');
end;
$$;

comment on function tenancy.require_other_super_admin(uuid) is
    'Refuses to take the role from the last super_admin (PT409 last_super_admin), and keeps the others from losing it until the transaction ends.';
