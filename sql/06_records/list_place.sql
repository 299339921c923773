create type tenancy.list_place as (
    column_name text,
    is_descending boolean,
    number numeric,
    words text,
    schema_name text
);

comment on type tenancy.list_place is
    'An order of the tenants, and a place in it. Without a schema_name it is the beginning.';
