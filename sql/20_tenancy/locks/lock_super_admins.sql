-- A count is not enough: two super_admins who revoke each other at the same time would each
-- count the other. The rows are locked in one order, so the second caller waits, and then
-- reads the result of the first.
create function tenancy.lock_super_admins()
    returns uuid[]
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language sql
as $$
    with locked as materialized (
        select a.user_id, a.expires_at
        from public.admin_users a
        where a.role = 'super_admin'
            -- One whom Auth has banned can do nothing, and is no reason to let the last one go.
            and exists (select from tenancy.active_users u where u.id = a.user_id)
        order by a.user_id
        for update
    )
    -- Nor is one whose role expires.
    select array(select l.user_id from locked l where l.expires_at is null);
$$;

comment on function tenancy.lock_super_admins() is
    'Locks all active super_admins until the transaction ends, and returns the ids of those whose role does not expire. Waits at most 2 s (55P03).';
