create function tenancy.describe_table(relation oid)
    returns public.tenantry_schema_table
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table public.tenantry_schema_table;
begin
    select
        c.relname,
        (
            select count(*)
            from pg_catalog.pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        ),
        tenancy.row_estimate(c.oid),
        tenancy.table_bytes(c.oid),
        obj_description(c.oid, 'pg_class')
    into v_table
    from pg_catalog.pg_class c
    where c.oid = relation;

    return v_table;
end;
$$;

comment on function tenancy.describe_table(oid) is 'A table, as get_schema_tables returns it.';
