create function tenancy.require_below_table_limit(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_limit constant integer := (select s.max_tables from tenancy.platform_settings s);
begin
    if cardinality(tenancy.table_oids(schema_name)) >= v_limit then
        raise exception 'Tenant "%" has % tables, which is the limit.', schema_name, v_limit
            using errcode = 'PT409', detail = 'table_limit',
                hint = 'Drop a table that is no longer needed, or ask the platform''s staff for a higher limit.';
    end if;
end;
$$;

comment on function tenancy.require_below_table_limit(text) is
    'Refuses another table in a tenant that has as many as the platform allows (PT409 table_limit).';
