create type tenancy.template_difference as (
    object_kind text,
    table_name text,
    object_name text,
    difference text,
    expected text,
    found text
);

comment on type tenancy.template_difference is
    'One object in which a tenant differs from the template at its version.';
comment on column tenancy.template_difference.table_name is
    'The table that the object belongs to; null if it belongs to none.';
comment on column tenancy.template_difference.object_name is 'Name of the object, without its table and its schema.';
comment on column tenancy.template_difference.difference is 'missing, extra or different.';
