create function public.add_column(
    schema_name text,
    table_name text,
    column_name text,
    column_type text,
    is_nullable boolean default null,
    default_value jsonb default null,
    default_expression text default null,
    identity boolean default false
)
    returns public.tenantry_table_column
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- Nobody can read the table while its rows are rewritten. A reload of PostgREST's schema
    -- cache waits for the table, too; after 8 s the reload fails, and PostgREST serves nobody.
    -- So two rewrites one after the other have to end earlier.
    set statement_timeout = '3s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table oid;
    v_is_identity constant boolean := coalesce(identity, false);
    v_usage jsonb;
    v_column public.tenantry_table_column;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    v_table := tenancy.require_table(schema_name, table_name);
    perform tenancy.require_own_column(schema_name, table_name, column_name);
    -- The profile RPCs insert rows into users without a value for this column.
    if tenancy.is_template_table(schema_name, table_name)
        and not is_nullable and default_value is null and default_expression is null and not v_is_identity
    then
        raise exception 'A column that is added to "%" has to be nullable or have a default.', table_name
            using errcode = 'PT409', detail = 'protected_table',
                hint = 'Tenantry itself inserts rows into this table and gives your column no value.';
    end if;

    perform tenancy.require_below_column_limit(schema_name, table_name);
    v_usage := tenancy.budget_usage(schema_name);
    perform tenancy.add_column(
        schema_name, table_name, column_name, column_type, is_nullable, default_value, default_expression, v_is_identity
    );
    perform tenancy.require_within_budgets(schema_name, v_usage);
    -- A migration may have limited the privileges on the table to columns.
    if tenancy.is_template_table(schema_name, table_name) then
        perform tenancy.apply_tenant_privileges(schema_name);
    end if;
    select * into v_column
    from tenancy.describe_columns(v_table) c
    where c.column_name = add_column.column_name;

    perform tenancy.log_action(
        'column.add', v_tenant,
        jsonb_build_object('table_name', table_name, 'after', to_jsonb(v_column))
    );

    return v_column;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.add_column(text, text, text, text, boolean, jsonb, text, boolean) is
    'Adds a column to a table of a tenant. '
    'In a table that every tenant has, the name begins with x_, and the column is nullable or '
    'has a default. Existing rows get the default. The column is nullable unless is_nullable is '
    'false. With identity, PostgreSQL numbers all rows, and the column cannot be null. With '
    'identity or the default gen_random_uuid(), PostgreSQL rewrites all rows while readers wait; '
    'a rewrite that takes longer than 3 s is refused. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_identifier, invalid_column_type, invalid_default, invalid_request, '
    'table_not_found, column_exists, table_not_empty, protected_table, column_limit, text_limit, '
    'default_limit, tenant_not_found, '
    'tenant_suspended, forbidden, not_authenticated, busy.';
