create function tenancy.opaque_schema_name()
    returns text
    volatile
    security invoker
    set search_path = ''
    language sql
as $$
    -- Hashed, because some digits of a version 4 uuid are fixed.
    select 't_' || left(md5(gen_random_uuid()::text), 20);
$$;

comment on function tenancy.opaque_schema_name() is
    'A random schema name that says nothing about the tenant. PostgREST shows the names of all exposed schemas to anybody.';
