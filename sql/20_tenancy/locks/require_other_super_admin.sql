create function tenancy.require_other_super_admin(user_id uuid)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Lock users first: deleting a user also updates, in an unknown order, the rows of the staff
    -- whom the user appointed.
    perform tenancy.lock_users(
        user_id || array(select a.user_id from public.admin_users a where a.role = 'super_admin')
    );
    if tenancy.lock_super_admins() = array[user_id] then
        raise exception 'This is the last super_admin whose role does not expire.'
            using errcode = 'PT409', detail = 'last_super_admin',
                hint = 'Appoint another with promote_to_admin first, without expires_at.';
    end if;

    -- Check again: the caller's own role may have been revoked while this call waited.
    perform tenancy.require_platform_role('super_admin');
end;
$$;

comment on function tenancy.require_other_super_admin(uuid) is
    'Refuses to take the role from the last active super_admin whose role does not expire, or to let it expire, and locks all active super_admins until the transaction ends, so that the others keep theirs (PT409 last_super_admin, errors of require_platform_role, 55P03).';
