-- Counting them is not enough: of two super_admins who revoke each other at once, each
-- would count the other. Locked one after the other in one order, the second to come sees
-- what the first has left.
create function tenancy.lock_super_admins()
    returns uuid[]
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
begin
    return array(
        select a.user_id
        from public.admin_users a
        where a.role = 'super_admin'
        order by a.user_id
        for update
    );
end;
$$;

comment on function tenancy.lock_super_admins() is
    'All super_admins, locked until the transaction ends. Waits at most 2 s (55P03).';
