create function tenancy.new_secret()
    returns text
    volatile
    security invoker
    set search_path = ''
    language sql
as $$
    -- Hashed, because some digits of a version 4 uuid are fixed. Two of them have 244 random bits.
    select 'inv_' || encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex');
$$;

comment on function tenancy.new_secret() is
    'A random secret of an invitation. The prefix lets people and scanners recognise one.';
