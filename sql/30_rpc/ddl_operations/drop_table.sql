create function public.drop_table(schema_name text, table_name text)
    returns public.tenantry_schema_table
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_table public.tenantry_schema_table;
    v_removed jsonb;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_own_table(schema_name, table_name);
    v_table := tenancy.describe_table(tenancy.require_table(schema_name, table_name));

    v_removed := tenancy.drop_table(schema_name, table_name);

    perform tenancy.log_action(
        'table.drop', v_tenant,
        jsonb_build_object('table_name', table_name, 'before', to_jsonb(v_table), 'removed', v_removed)
    );

    return v_table;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.drop_table(text, text) is
    'Drops a table of a tenant with its rows and returns a description of the table. '
    'Nothing cascades. admin_audit_log says how many rows and bytes went: rows are counted in a '
    'table of up to 16 MB, and estimated in a larger one. '
    'Callers: tenant admin, platform admin. '
    'Errors: table_not_found, protected_table, has_dependents, tenant_not_found, '
    'tenant_suspended, forbidden, not_authenticated, busy.';
