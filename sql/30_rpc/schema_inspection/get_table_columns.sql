create function public.get_table_columns(schema_name text, table_name text)
    returns setof public.tenantry_table_column
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => 'viewer', member => 'read');

    return query
    select * from tenancy.describe_columns(tenancy.require_table(schema_name, table_name));
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_table_columns(text, text) is
    'Lists the columns of a tenant''s table in their order. '
    'All columns are in one reply: create_table and add_column allow at most 1,000. '
    'Callers: member, platform viewer. '
    'Errors: tenant_not_found, table_not_found, tenant_suspended, not_authenticated, busy.';
