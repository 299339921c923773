-- First in the lock order. Deleting a user locks the row in auth.users and then, by cascade,
-- rows of the registry. A transaction that writes a reference to a user has to lock in the
-- same order, or the two transactions deadlock.
create function tenancy.lock_users(user_ids uuid[])
    returns uuid[]
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
begin
    return array(
        select u.id
        from auth.users u
        where u.id = any (user_ids)
        order by u.id
        for key share
    );
end;
$$;

comment on function tenancy.lock_users(uuid[]) is
    'Protects these users from deletion until the transaction ends, and returns the ids of those that exist. Waits at most 2 s (55P03).';
