create type tenancy.schema_object as (
    object_kind text,
    object_name text,
    table_name text,
    is_extension boolean,
    definition text
);

comment on type tenancy.schema_object is
    'One thing in a schema, as two schemas can be compared by: what it is, its name, and all that it says.';
comment on column tenancy.schema_object.table_name is
    'The table it is part of, or is; null for what stands by itself.';
comment on column tenancy.schema_object.is_extension is
    'Whether it is, or rests on, a column x_…, as a tenant adds them to the template''s tables.';
