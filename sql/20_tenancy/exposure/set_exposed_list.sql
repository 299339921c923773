create function tenancy.set_exposed_list(list text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    execute format(
        'alter role authenticator in database %I set pgrst.db_schemas = %L', current_database(), list
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
