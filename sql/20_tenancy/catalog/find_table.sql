create function tenancy.find_table(schema_name text, table_name text)
    returns oid
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select c.oid
        from pg_catalog.pg_class c
        where c.relname = table_name
            and c.relnamespace = to_regnamespace(quote_ident(schema_name))
            and c.relkind in ('r', 'p')
    );
end;
$$;

comment on function tenancy.find_table(text, text) is 'The oid of a tenant''s table; null if there is none.';
