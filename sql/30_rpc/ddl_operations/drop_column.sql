create function public.drop_column(schema_name text, table_name text, column_name text)
    returns public.tenantry_table_column
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
    v_column public.tenantry_table_column;
    v_removed jsonb;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    v_table := tenancy.require_table(schema_name, table_name);
    perform tenancy.require_own_column(schema_name, table_name, column_name);
    perform tenancy.require_column(schema_name, table_name, column_name);
    select * into v_column
    from tenancy.describe_columns(v_table) c
    where c.column_name = drop_column.column_name;

    v_removed := tenancy.drop_column(schema_name, table_name, column_name);

    perform tenancy.log_action(
        'column.drop', v_tenant,
        jsonb_build_object('table_name', table_name, 'before', to_jsonb(v_column), 'removed', v_removed)
    );

    return v_column;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.drop_column(text, text, text) is
    'Drops a column with its values and returns a description of the dropped column. '
    'Nothing cascades. '
    'Callers: tenant admin, platform admin. '
    'Errors: table_not_found, column_not_found, has_dependents, protected_table, '
    'tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
