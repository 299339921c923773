create function tenancy.exposed_list()
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        -- substr would count the characters of a list of thousands of names.
        select replace(c.entry, 'pgrst.db_schemas=', '')
        from pg_catalog.pg_db_role_setting s
        cross join unnest(s.setconfig) c (entry)
        where s.setrole = 'authenticator'::regrole
            and s.setdatabase in (
                0, (select d.oid from pg_catalog.pg_database d where d.datname = current_database())
            )
            and starts_with(c.entry, 'pgrst.db_schemas=')
        -- The setting for this database overrides the one for the whole cluster.
        order by s.setdatabase desc
        limit 1
    );
end;
$$;

comment on function tenancy.exposed_list() is
    'The schemas that the Data API exposes as PostgREST''s role has them, separated by commas; null if they are not set.';
