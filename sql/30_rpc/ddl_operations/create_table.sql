create function public.create_table(
    schema_name text,
    table_name text,
    columns jsonb,
    description text default null
)
    returns setof public.tenantry_table_column
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table oid;
    v_usage jsonb;
    v_after jsonb;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_table_name(table_name);
    perform tenancy.require_column_objects(columns);
    perform tenancy.require_text('description', description, 1000, has_lines => true);
    if tenancy.is_name_taken(schema_name, table_name) then
        raise exception 'Tenant "%" already has a table "%".', schema_name, table_name
            using errcode = 'PT409', detail = 'table_exists', hint = 'Choose another name.';
    end if;
    perform tenancy.require_below_table_limit(schema_name);

    perform tenancy.require_few_unique_columns(columns);
    v_usage := tenancy.budget_usage(schema_name);

    v_table := tenancy.create_table(schema_name, table_name, columns, description);
    perform tenancy.require_within_budgets(schema_name, v_usage);

    select jsonb_agg(to_jsonb(c)) into v_after from tenancy.describe_columns(v_table) c;
    perform tenancy.log_action(
        'table.create', v_tenant,
        jsonb_build_object('table_name', table_name, 'after', jsonb_build_object('columns', v_after, 'description', description))
    );

    return query select * from tenancy.describe_columns(v_table);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.create_table(text, text, jsonb, text) is
    'Creates a table in a tenant, which the Data API serves within moments. '
    'Members read the table, writers write it. columns is an array of {name, type, nullable = '
    'true, default, default_expression, primary_key, unique, identity}. Without a primary key, '
    'the column id becomes the primary key; a missing column id is added as uuid. PostgreSQL '
    'numbers a column with identity, unless a row brings its own number. A key of one integer '
    'column without a default is an identity column, unless identity is false; a uuid key named '
    'id without a default gets gen_random_uuid(). '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_identifier, invalid_column_type, invalid_default, invalid_request, '
    'table_exists, column_exists, table_limit, column_limit, index_limit, text_limit, '
    'default_limit, unique_limit, tenant_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';
