-- First in the lock order. Deleting a user locks their row in auth.users and then, by
-- cascade, rows of the registry; whoever writes a reference to a user has to come the same
-- way or the two deadlock.
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
    'Keeps these users from being deleted until the transaction ends; the ids of those who exist. Waits at most 2 s (55P03).';
