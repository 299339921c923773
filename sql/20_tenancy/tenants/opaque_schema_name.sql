create function tenancy.opaque_schema_name()
    returns text
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- A version 4 uuid has fixed digits; hashed, all twenty of these are random.
    return 't_' || left(md5(gen_random_uuid()::text), 20);
end;
$$;

comment on function tenancy.opaque_schema_name() is
    'A schema name that tells nothing: PostgREST shows the names of all exposed schemas to anybody.';
