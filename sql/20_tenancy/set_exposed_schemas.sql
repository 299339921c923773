create function tenancy.set_exposed_schemas(schema_names text[])
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    execute format(
        'alter role authenticator in database %I set pgrst.db_schemas = %L',
        current_database(),
        array_to_string(schema_names, ', ')
    );

    -- Both are needed: the first makes PostgREST read the list, the second the tables. The
    -- empty payload reloads the schema too, and does not merge with a notification that an
    -- event trigger sent earlier in this transaction, before the list was right.
    perform pg_notify('pgrst', 'reload config');
    perform pg_notify('pgrst', '');
end;
$$;

comment on function tenancy.set_exposed_schemas(text[]) is
    'Writes the list of schemas that the Data API answers for. Only under lock_exposure.';
