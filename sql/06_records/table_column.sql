create type public.table_column as (
    column_name text,
    ordinal_position integer,
    data_type text,
    is_nullable boolean,
    column_default text,
    is_primary_key boolean,
    description text
);

comment on type public.table_column is 'One column of a tenant''s table, as get_table_columns tells it.';
comment on column public.table_column.ordinal_position is
    'Place in the table, from 1; dropped columns leave gaps.';
comment on column public.table_column.data_type is
    'The type as PostgreSQL prints it: character varying(40), timestamp with time zone.';
comment on column public.table_column.column_default is 'The default as SQL; null for none.';
