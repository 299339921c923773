create function tenancy.set_exposed_schemas(schema_names text[])
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    execute format(
        'alter role authenticator in database %I set pgrst.db_schemas = %L',
        current_database(),
        array_to_string(schema_names, ', ')
    );

    -- Both are needed, the list before the tables.
    perform pg_notify('pgrst', 'reload config');
    perform tenancy.reload_schema_cache();

    -- In a longer transaction an event trigger may have sent the second before the first,
    -- and what is sent again keeps its first place. The empty payload means the same and is
    -- another notification.
    if current_setting('request.method', true) is null then
        perform pg_notify('pgrst', '');
    end if;
end;
$$;

comment on function tenancy.set_exposed_schemas(text[]) is
    'Writes the list of schemas that the Data API answers for. Only under lock_exposure.';
