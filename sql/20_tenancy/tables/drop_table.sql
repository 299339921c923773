create function tenancy.drop_table(schema_name text, table_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_detail text;
begin
    perform tenancy.lock_tables(
        schema_name,
        table_name || tenancy.referenced_tables(tenancy.require_table(schema_name, table_name))
    );

    begin
        execute format('drop table %I.%I restrict', schema_name, table_name);
    exception
        when dependent_objects_still_exist then
            get stacked diagnostics v_detail = pg_exception_detail;
            raise exception 'Other objects depend on table "%": %.', table_name, replace(v_detail, E'\n', ', ')
                using errcode = 'PT409', detail = 'has_dependents',
                    hint = 'Drop those objects first, for example with drop_foreign_key.';
    end;
    execute format('drop function if exists %I.%I()', schema_name, tenancy.audit_routine_name(table_name));
    perform tenancy.reload_schema_cache();
end;
$$;

comment on function tenancy.drop_table(text, text) is
    'Drops a table of a tenant if nothing depends on it. Only under lock_tenant (PT404 table_not_found, PT409 has_dependents, 55P03).';
