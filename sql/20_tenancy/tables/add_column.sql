create function tenancy.add_column(
    schema_name text,
    table_name text,
    column_name text,
    column_type text,
    is_nullable boolean,
    default_value jsonb,
    default_expression text,
    is_identity boolean
)
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_definition constant text := tenancy.column_definition(
        column_name, column_type, is_nullable, default_value, default_expression, is_identity => is_identity
    );
begin
    perform tenancy.lock_tables(schema_name, array[table_name]);
    -- Any other default that column_default allows is stored once for all rows.
    if is_identity or lower(btrim(default_expression, ' ')) = 'gen_random_uuid()' then
        perform tenancy.lock_rewrite(tenancy.require_table(schema_name, table_name));
    end if;

    begin
        execute format('alter table %I.%I add column %s', schema_name, table_name, v_definition);
    exception
        when query_canceled then
            -- The reason may be a suspension instead of the time.
            perform tenancy.require_not_closing(schema_name);
            raise exception 'Writing column "%" into all rows of table "%" takes too long: nobody could read the table meanwhile.',
                column_name, table_name
                using errcode = 'PT422', detail = 'invalid_request',
                    hint = 'Nothing was changed. Add the column without a default, and fill it by updates of some thousand rows each.';
    end;
    perform tenancy.audit_table(schema_name, table_name);
    if is_identity then
        perform tenancy.apply_tenant_privileges(schema_name);
    end if;
    perform tenancy.reload_schema_cache();
exception
    when duplicate_column then
        raise exception 'Table "%" already has a column "%".', table_name, column_name
            using errcode = 'PT409', detail = 'column_exists', hint = 'Choose another name.';
    when not_null_violation then
        raise exception 'The rows of table "%" would have no value in column "%".', table_name, column_name
            using errcode = 'PT409', detail = 'table_not_empty',
                hint = 'Give the column a default_value, or let it be nullable.';
    when datatype_mismatch then
        raise exception 'The default expression does not fit the type of the column.'
            using errcode = 'PT400', detail = 'invalid_default',
                hint = 'now() and current_date fit dates and times, gen_random_uuid() and auth.uid() fit uuid.';
    when sequence_generator_limit_exceeded then
        raise exception 'Table "%" has more rows than the type % has numbers.', table_name, column_type
            using errcode = 'PT422', detail = 'invalid_request', hint = 'Use the type bigint.';
    when program_limit_exceeded then
        raise exception 'Table "%" cannot take another column: %.', table_name, sqlerrm
            using errcode = 'PT422', detail = 'invalid_request', hint = 'Use a second table.';
end;
$$;

comment on function tenancy.add_column(text, text, text, text, boolean, jsonb, text, boolean) is
    'Adds a column to a table of a tenant. Only under lock_tenant (PT400: invalid_identifier, invalid_column_type, invalid_default; PT409: column_exists, table_not_empty; PT422 invalid_request; 55P03).';
