create function tenancy.require_user(user_id uuid)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_argument('user_id', user_id::text);

    -- The caller is locked along: the row about to be written names both.
    if not user_id = any (
        tenancy.lock_users(array[user_id, (tenancy.caller()).user_id])
    ) then
        raise exception 'There is no user with the id %.', user_id
            using errcode = 'PT404', detail = 'user_not_found',
                hint = 'Let them sign up first; the id is the "sub" of their access token.';
    end if;
end;
$$;

comment on function tenancy.require_user(uuid) is
    'Locks a user and the caller against deletion, first in the lock order (PT404 user_not_found, PT422 invalid_request).';
