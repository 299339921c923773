create function tenancy.unexpose_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.lock_exposure();
    perform tenancy.set_exposed_schemas(array_remove(tenancy.exposed_schemas(), schema_name));
end;
$$;

comment on function tenancy.unexpose_schema(text) is
    'Removes a schema from the list of schemas that the Data API exposes (55P03).';
