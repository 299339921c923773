create function public.get_schema_tables(schema_name text)
    returns setof public.tenantry_schema_table
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(schema_name, platform => 'viewer', member => 'read');

    return query
    select d.*
    from unnest(tenancy.table_oids(schema_name)) t (relation)
    cross join lateral tenancy.describe_table(t.relation) d
    order by d.table_name;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_schema_tables(text) is
    'Lists the tables of a tenant by name, with their sizes and row estimates. '
    'The estimates come from statistics; no table is scanned. All tables are in one reply: '
    'a tenant has at most as many as tenancy.platform_settings.max_tables allows, 200 unless '
    'changed and never more than 1,000. '
    'Callers: member, platform viewer. '
    'Errors: tenant_not_found, tenant_suspended, not_authenticated, busy.';
