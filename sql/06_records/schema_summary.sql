create type public.schema_summary as (
    table_count bigint,
    row_estimate bigint,
    total_bytes bigint
);

comment on type public.schema_summary is 'The answer of get_schema_summary; units as in schema_table.';
