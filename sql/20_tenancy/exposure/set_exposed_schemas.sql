create function tenancy.set_exposed_schemas(schema_names text[])
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.set_exposed_list(array_to_string(schema_names, ', '));
end;
$$;

comment on function tenancy.set_exposed_schemas(text[]) is
    'Writes the list of schemas that the Data API exposes. Only under lock_exposure.';
