create function tenancy.require_user(user_id uuid)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_argument('user_id', user_id::text);

    -- Lock the caller, too: the row that is written next refers to both users.
    if not user_id = any (
            tenancy.lock_users(array[user_id, (tenancy.caller()).user_id])
        )
        -- To everybody a banned user looks the same as a missing one.
        or not exists (select from tenancy.active_users u where u.id = require_user.user_id)
    then
        raise exception 'There is no user with the id %.', user_id
            using errcode = 'PT404', detail = 'user_not_found',
                hint = 'The user has to sign up first. The id is the "sub" of the user''s access token.';
    end if;
end;
$$;

comment on function tenancy.require_user(uuid) is
    'Refuses the id of a user who does not exist or is banned or deleted in Auth, and protects the user and the caller from deletion until the transaction ends. First in the lock order (PT404 user_not_found, PT422 invalid_request, 55P03).';
