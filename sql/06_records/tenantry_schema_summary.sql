create type public.tenantry_schema_summary as (
    table_count bigint,
    row_estimate bigint,
    total_bytes bigint
);

comment on type public.tenantry_schema_summary is
    'Result of get_schema_summary. The units are those of schema_table.';
