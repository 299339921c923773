create function tenancy.require_schema_name(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- PostgreSQL silently cuts a name to 63 bytes, and two tenants would become one. Only
    -- ASCII, because other characters can look the same and make different names.
    if schema_name is null or schema_name !~ '^[a-z][a-z0-9_]{2,62}$' then
        raise exception 'A schema name has 3 to 63 characters: lower-case letters a-z, digits and underscores, a letter first.'
            using errcode = 'PT400', detail = 'invalid_schema_name',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;

    if schema_name ~ '^(pg_|supabase|graphql)'
        or schema_name in (
            'auth', 'cron', 'extensions', 'information_schema', 'net', 'pgbouncer', 'pgmq',
            'pgmq_public', 'pgsodium', 'pgsodium_masks', 'pgtle', 'public', 'realtime', 'repack',
            'storage', 'tenancy', 'tenant_template', 'tiger', 'tiger_data', 'topology', 'vault'
        )
        -- A schema with the name of a role comes first in that role's search_path.
        or to_regrole(schema_name) is not null
    then
        raise exception 'The name "%" is reserved.', schema_name
            using errcode = 'PT400', detail = 'invalid_schema_name',
                hint = 'Choose another name, or leave it out for a random one.';
    end if;
end;
$$;

comment on function tenancy.require_schema_name(text) is
    'Refuses a name that a tenant''s schema cannot have (PT400 invalid_schema_name).';
