create function tenancy.create_table(schema_name text, table_name text, columns jsonb, description text)
    returns oid
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_columns constant jsonb := tenancy.with_key(columns);
    v_definitions text[];
    v_key text[];
    v_duplicate text;
begin
    select
        array_agg(
            tenancy.column_definition(
                c.value ->> 'name',
                c.value ->> 'type',
                (c.value ->> 'nullable')::boolean,
                c.value -> 'default',
                c.value ->> 'default_expression',
                coalesce((c.value ->> 'unique')::boolean, false),
                coalesce((c.value ->> 'identity')::boolean, false)
            )
            order by c.place
        ),
        array_agg(c.value ->> 'name' order by c.place) filter (where (c.value ->> 'primary_key')::boolean)
    into v_definitions, v_key
    from jsonb_array_elements(v_columns) with ordinality c (value, place);

    select c.value ->> 'name' into v_duplicate
    from jsonb_array_elements(v_columns) c (value)
    group by c.value ->> 'name'
    having count(*) > 1
    limit 1;
    if v_duplicate is not null then
        raise exception 'There are two columns named "%".', v_duplicate
            using errcode = 'PT409', detail = 'column_exists', hint = 'Give each column its own name.';
    end if;

    begin
        execute format(
            'create table %I.%I (%s, primary key (%s))',
            schema_name, table_name,
            array_to_string(v_definitions, ', '),
            (select string_agg(quote_ident(k.name), ', ' order by k.place) from unnest(v_key) with ordinality k (name, place))
        );
    exception
        when datatype_mismatch then
            raise exception 'A default expression does not fit the type of its column.'
                using errcode = 'PT400', detail = 'invalid_default',
                    hint = 'now() and current_date fit dates and times, gen_random_uuid() and auth.uid() fit uuid.';
        when undefined_object then
            raise exception 'A key or unique column has a type that cannot be compared, such as json.'
                using errcode = 'PT400', detail = 'invalid_column_type',
                    hint = 'Use jsonb, or another column for the key.';
        when program_limit_exceeded then
            raise exception 'The table is too wide: %.', sqlerrm
                using errcode = 'PT422', detail = 'invalid_request', hint = 'Use fewer columns.';
    end;

    if description is not null then
        execute format('comment on table %I.%I is %L', schema_name, table_name, description);
    end if;
    perform tenancy.enable_tenant_table(schema_name, table_name);
    perform tenancy.apply_tenant_privileges(schema_name);
    perform tenancy.reload_schema_cache();

    return tenancy.find_table(schema_name, table_name);
end;
$$;

comment on function tenancy.create_table(text, text, jsonb, text) is
    'Creates a table in a tenant, with primary key, policies, audit triggers and privileges, and returns its oid. Only under lock_tenant, with columns that require_column_objects has accepted (PT400: invalid_identifier, invalid_column_type, invalid_default; PT409 column_exists; PT422 invalid_request).';
