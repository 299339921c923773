create type public.tenantry_table_column as (
    column_name text,
    ordinal_position integer,
    data_type text,
    is_nullable boolean,
    column_default text,
    is_primary_key boolean,
    is_identity boolean,
    description text
);

comment on type public.tenantry_table_column is
    'One column of a tenant''s table, as get_table_columns returns it.';
comment on column public.tenantry_table_column.ordinal_position is
    'Position in the table, from 1. Dropped columns leave gaps.';
comment on column public.tenantry_table_column.data_type is
    'The type as PostgreSQL prints it, for example character varying(40) or timestamp with time zone.';
comment on column public.tenantry_table_column.column_default is
    'The default as SQL; null if there is none. An identity column has none.';
comment on column public.tenantry_table_column.is_identity is
    'Whether PostgreSQL numbers the rows in this column, unless a row brings its own number.';
