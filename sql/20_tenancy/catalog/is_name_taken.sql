create function tenancy.is_name_taken(schema_name text, relation_name text)
    returns boolean
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Tables, indexes, sequences, views and types cannot share a name.
    return exists (
        select from pg_catalog.pg_class c
        where c.relname = relation_name and c.relnamespace = to_regnamespace(quote_ident(schema_name))
    ) or exists (
        select from pg_catalog.pg_type t
        where t.typname = relation_name and t.typnamespace = to_regnamespace(quote_ident(schema_name))
    );
end;
$$;

comment on function tenancy.is_name_taken(text, text) is
    'Whether a relation or a type in a tenant''s schema already has this name.';
