create function tenancy.lock_staff(user_id uuid)
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
begin
    perform tenancy.lock_users(array[user_id]);
    perform from public.admin_users a where a.user_id = lock_staff.user_id for share;
end;
$$;

comment on function tenancy.lock_staff(uuid) is
    'Keeps a user and their platform role, if they have one, until the transaction ends. Waits at most 2 s for each (55P03).';
