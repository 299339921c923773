create function tenancy.require_below_column_limit(schema_name text, table_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    -- PostgreSQL allows 1,600 columns, dropped ones included. The Data API returns at most 1,000
    -- rows of get_table_columns. Half of a template table is kept for the columns of later
    -- tenant migrations, which would fail if the table were full.
    v_limit constant integer := case when tenancy.is_template_table(schema_name, table_name) then 800 else 999 end;
    v_columns constant integer := (
        select c.relnatts::integer from pg_catalog.pg_class c where c.oid = tenancy.require_table(schema_name, table_name)
    );
begin
    if v_columns >= v_limit then
        raise exception 'Table "%" has % columns, dropped ones included, which is the limit.', table_name, v_columns
            using errcode = 'PT422', detail = 'invalid_request', hint = 'Use a second table.';
    end if;
end;
$$;

comment on function tenancy.require_below_column_limit(text, text) is
    'Refuses another column in a table that has reached the limit, dropped columns included (PT404 table_not_found, PT422 invalid_request).';
