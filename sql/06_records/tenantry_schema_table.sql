create type public.tenantry_schema_table as (
    table_name text,
    column_count bigint,
    row_estimate bigint,
    total_bytes bigint,
    description text
);

comment on type public.tenantry_schema_table is 'One table of a tenant, as get_schema_tables returns it.';
comment on column public.tenantry_schema_table.row_estimate is
    'Estimated number of rows, from PostgreSQL''s statistics; no row is counted.';
comment on column public.tenantry_schema_table.total_bytes is
    'Size on disk with indexes and out-of-line values, in bytes.';
