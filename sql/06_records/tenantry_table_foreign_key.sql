create type public.tenantry_table_foreign_key as (
    constraint_name text,
    columns text[],
    foreign_table text,
    foreign_columns text[],
    on_update text,
    on_delete text
);

comment on type public.tenantry_table_foreign_key is
    'One foreign key of a tenant''s table, as get_table_foreign_keys returns it.';
comment on column public.tenantry_table_foreign_key.on_delete is
    'NO ACTION, RESTRICT, CASCADE, SET NULL or SET DEFAULT.';
