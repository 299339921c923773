create function public.add_foreign_key(
    schema_name text,
    table_name text,
    column_name text,
    foreign_table text,
    foreign_column text default 'id',
    on_delete text default 'NO ACTION',
    on_update text default 'NO ACTION'
)
    returns public.tenantry_table_foreign_key
    volatile
    security definer
    set search_path = ''
    -- Longer than the role's own timeout, because validation reads the whole table.
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_usage jsonb;
    v_constraint_name text;
    v_foreign_key public.tenantry_table_foreign_key;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_access_to_values(schema_name);

    perform tenancy.require_own_table(schema_name, table_name);
    perform tenancy.require_foreign_key_target(schema_name, foreign_table, foreign_column);

    v_usage := tenancy.budget_usage(schema_name);
    v_constraint_name := tenancy.add_foreign_key(
        schema_name, table_name, column_name, foreign_table, foreign_column, on_delete, on_update
    );
    perform tenancy.require_within_budgets(schema_name, v_usage);
    v_foreign_key := tenancy.require_foreign_key(schema_name, table_name, v_constraint_name);

    perform tenancy.log_action(
        'foreign_key.add', v_tenant,
        jsonb_build_object('table_name', table_name, 'after', to_jsonb(v_foreign_key))
    );

    return v_foreign_key;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.add_foreign_key(text, text, text, text, text, text, text) is
    'Adds a foreign key from a column of a tenant''s table to another table of the same '
    'tenant. '
    'The target is a primary key or a unique column; in the template''s tables only users(id) '
    'and settings(key). The column gets an index. Existing rows are checked in the same call: '
    'until it ends, writers of both tables wait, up to 60 s on a very large table; readers do '
    'not wait. A refusal tells about the values, so platform staff need support access of the '
    'level admin. '
    'Callers: tenant admin, service key. '
    'Errors: table_not_found, column_not_found, invalid_column_type, constraint_exists, '
    'foreign_key_violation, foreign_key_target, protected_table, invalid_request, '
    'foreign_key_limit, index_limit, '
    'tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
