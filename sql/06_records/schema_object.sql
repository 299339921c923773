create type tenancy.schema_object as (
    object_kind text,
    object_name text,
    table_name text,
    is_extension boolean,
    definition text
);

comment on type tenancy.schema_object is
    'One object of a schema, with its definition as text, so that two schemas can be compared.';
comment on column tenancy.schema_object.table_name is
    'The table that the object is or belongs to; null if it belongs to none.';
comment on column tenancy.schema_object.is_extension is
    'Whether the object is, or depends on, a column x_…, which a tenant has added to a table of the template.';
