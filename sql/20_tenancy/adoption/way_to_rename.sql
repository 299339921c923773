create function tenancy.way_to_rename(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select case
        when schema_name !~ '^[a-z][a-z0-9_]{2,62}$' or to_regrole(quote_ident(schema_name)) is not null then
            format('Rename it by hand: alter schema %I rename to …;', schema_name)
        else 'Move your tables into a schema of their own: alter table … set schema …;'
    end;
$$;

comment on function tenancy.way_to_rename(text) is
    'What a person can do about an existing schema whose name no tenant may have.';
