create function tenancy.drop_table(schema_name text, table_name text)
    returns jsonb
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_relation constant oid := tenancy.require_table(schema_name, table_name);
    v_removed jsonb;
    v_detail text;
begin
    perform tenancy.lock_tables(
        schema_name,
        table_name || tenancy.referenced_tables(v_relation)
    );
    v_removed := tenancy.table_contents(v_relation);

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

    return v_removed;
end;
$$;

comment on function tenancy.drop_table(text, text) is
    'Drops a table of a tenant if nothing depends on it, and returns its table_contents. Only under lock_tenant (PT404 table_not_found, PT409 has_dependents, 55P03).';
