create function tenancy.drop_column(schema_name text, table_name text, column_name text)
    returns jsonb
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_removed jsonb;
    v_detail text;
begin
    perform tenancy.lock_tables(schema_name, array[table_name]);
    perform tenancy.require_column_droppable(schema_name, table_name, column_name);
    -- The values stay in the rows until these are written again, so no bytes are named.
    v_removed := tenancy.table_contents(tenancy.require_table(schema_name, table_name)) - 'bytes';

    begin
        execute format('alter table %I.%I drop column %I restrict', schema_name, table_name, column_name);
    exception
        when dependent_objects_still_exist then
            get stacked diagnostics v_detail = pg_exception_detail;
            raise exception 'Other objects depend on column "%" of table "%": %.',
                column_name, table_name, replace(v_detail, E'\n', ', ')
                using errcode = 'PT409', detail = 'has_dependents', hint = 'Drop those objects first.';
    end;
    perform tenancy.audit_table(schema_name, table_name);
    perform tenancy.reload_schema_cache();

    return v_removed;
end;
$$;

comment on function tenancy.drop_column(text, text, text) is
    'Drops a column of a tenant''s table if nothing depends on it, and returns how many rows had it. Only under lock_tenant (errors of require_column_droppable; 55P03).';
