create function tenancy.require_table_name(table_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_identifier(table_name, 'table');

    -- A table is a type too. In a tenant migration the tenant's schema comes first in the
    -- search path, and a table named "citext" would be taken for the extension's type.
    if exists (
        select from pg_catalog.pg_type t
        where t.typname = table_name
            and t.typnamespace in (
                'pg_catalog'::regnamespace,
                'public'::regnamespace,
                to_regnamespace('extensions')
            )
    ) then
        raise exception 'A table cannot be named "%": that is the name of a type.', table_name
            using errcode = 'PT400', detail = 'invalid_identifier',
                hint = 'Choose another name, for example the plural.';
    end if;
end;
$$;

comment on function tenancy.require_table_name(text) is
    'Refuses names that a tenant''s table cannot have (PT400 invalid_identifier).';
