create function tenancy.set_exposed_list(list text)
    returns void
    volatile
    security invoker
    set search_path = ''
    -- Ends the choice below with the function.
    set default_toast_compression = 'pglz'
    language plpgsql
as $$
begin
    -- PostgreSQL tries to compress a long setting. With thousands of random names this is most of
    -- the cost of a creation that grows with them, and lz4 gives up soon.
    begin
        perform set_config('default_toast_compression', 'lz4', true);
    exception
        when invalid_parameter_value then
            -- The server was built without lz4.
            null;
    end;

    -- From the current value, so that the parser does not read the list.
    perform set_config('pgrst.db_schemas', list, true);
    execute format(
        'alter role authenticator in database %I set pgrst.db_schemas from current', current_database()
    );

    -- PostgREST needs both notifications: it reads first the list, then the tables.
    perform pg_notify('pgrst', 'reload config');
    perform tenancy.reload_schema_cache();

    -- In a transaction of several statements, an event trigger may have sent the second
    -- notification before the first, and a repeated notification keeps its first place. The
    -- empty payload reloads the tables, too, and is not merged with the others.
    if current_setting('request.method', true) is null then
        perform pg_notify('pgrst', '');
    end if;
end;
$$;

comment on function tenancy.set_exposed_list(text) is
    'Writes the list of schemas that the Data API exposes, as PostgREST reads it: names separated by commas. Only under lock_exposure.';
