create function tenancy.new_challenge()
    returns text
    volatile
    security invoker
    set search_path = ''
    language sql
as $$
    -- Hashed, because some digits of a version 4 uuid are fixed.
    select left(encode(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())), 'hex'), 32);
$$;

comment on function tenancy.new_challenge() is
    'A random text of 32 digits that only the tenant for which it is made publishes in DNS.';
