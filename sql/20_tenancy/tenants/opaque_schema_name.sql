create function tenancy.opaque_schema_name()
    returns text
    volatile
    security invoker
    set search_path = ''
    language sql
as $$
    -- Hashed, because some digits of a version 4 uuid are fixed. With more letters than hexadecimal
    -- digits have, the server also compresses the list of exposed schemas in less time.
    select 't_' || left(
        translate(lower(encode(sha256(convert_to(gen_random_uuid()::text, 'UTF8')), 'base64')), '+/=', ''), 20
    );
$$;

comment on function tenancy.opaque_schema_name() is
    'A random schema name that says nothing about the tenant. PostgREST shows the names of all exposed schemas to anybody.';
