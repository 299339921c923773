create function public.drop_foreign_key(schema_name text, table_name text, constraint_name text)
    returns public.tenantry_table_foreign_key
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_foreign_key public.tenantry_table_foreign_key;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');

    perform tenancy.require_own_table(schema_name, table_name);
    v_foreign_key := tenancy.require_foreign_key(schema_name, table_name, constraint_name);

    perform tenancy.drop_foreign_key(schema_name, table_name, constraint_name);

    perform tenancy.log_action(
        'foreign_key.drop', v_tenant,
        jsonb_build_object('table_name', table_name, 'before', to_jsonb(v_foreign_key))
    );

    return v_foreign_key;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.drop_foreign_key(text, text, text) is
    'Drops a foreign key of a tenant''s table and returns a description of the key. '
    'The index on the column stays. '
    'Callers: tenant admin, platform admin. '
    'Errors: table_not_found, constraint_not_found, protected_table, tenant_not_found, '
    'tenant_suspended, forbidden, not_authenticated, busy.';
