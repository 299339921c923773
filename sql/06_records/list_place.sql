create type tenancy.list_place as (
    column_name text,
    is_descending boolean,
    number numeric,
    words text,
    key text
);

comment on type tenancy.list_place is
    'An order of the rows of a list, and a place in it. Without a key it is the beginning.';
comment on column tenancy.list_place.key is
    'The schema name of a tenant, or the id of a member. It orders rows whose number and words are the same.';
