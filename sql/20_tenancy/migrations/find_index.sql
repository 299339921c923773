create function tenancy.find_index(schema_name text, index_name text)
    returns pg_catalog.pg_index
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select i
    from pg_catalog.pg_class c
    join pg_catalog.pg_index i on i.indexrelid = c.oid
    where c.relname = index_name and c.relnamespace = to_regnamespace(quote_ident(schema_name));
$$;

comment on function tenancy.find_index(text, text) is 'The index of this name in a schema; null if there is none.';
