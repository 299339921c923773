create type public.schema_summary as (
    table_count bigint,
    row_estimate bigint,
    total_bytes bigint
);

comment on type public.schema_summary is
    'Result of get_schema_summary. The units are those of schema_table.';
