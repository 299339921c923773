create function public.get_table_foreign_keys(schema_name text, table_name text)
    returns setof public.tenantry_table_foreign_key
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => 'viewer', member => 'read');

    return query
    select * from tenancy.describe_foreign_keys(tenancy.require_table(schema_name, table_name));
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_table_foreign_keys(text, text) is
    'Lists the foreign keys of a tenant''s table by name. '
    'All foreign keys are in one reply: a tenant has at most as many as '
    'tenancy.platform_settings.max_foreign_keys allows, 500 unless changed and never more than '
    '1,000. '
    'Callers: member, platform viewer. '
    'Errors: tenant_not_found, table_not_found, tenant_suspended, not_authenticated, busy.';
