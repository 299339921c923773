create function tenancy.require_table_name(table_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_identifier(table_name, 'table');

    -- Every table also defines a type of its name. In a tenant migration the tenant's schema
    -- comes first in search_path, so a table named "citext" would hide the extension's type.
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
    'Refuses a name that no tenant''s table can have (PT400 invalid_identifier).';
