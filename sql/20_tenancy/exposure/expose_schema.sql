create function tenancy.expose_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_list text;
    v_schemas text[];
begin
    perform tenancy.lock_exposure();
    v_list := tenancy.exposed_list();

    -- A name that occurs nowhere in the text is not on the list. So the usual creation does not
    -- split a list of thousands of names.
    if v_list <> '' and strpos(v_list, schema_name) = 0 then
        perform tenancy.set_exposed_list(v_list || ', ' || schema_name);
        return;
    end if;

    -- The name may be a part of another one.
    v_schemas := tenancy.exposed_schemas();
    if not schema_name = any (v_schemas) then
        perform tenancy.set_exposed_schemas(v_schemas || schema_name);
    end if;
end;
$$;

comment on function tenancy.expose_schema(text) is
    'Adds a schema to the list of schemas that the Data API exposes. The schema must exist when the transaction commits (55P03).';
