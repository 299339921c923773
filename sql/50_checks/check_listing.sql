create function tenancy.check_listing(schema_name text)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'not listed',
        t.schema_name,
        format('Tenant %s is registered, but the Data API does not list its schema.', t.schema_name),
        format('select tenancy.expose_schema(%L);', t.schema_name),
        format('select tenancy.expose_schema(%L);', t.schema_name)
    from public.tenants t
    where t.schema_name = check_listing.schema_name
        and t.schema_name <> all (tenancy.exposed_schemas());
end;
$$;

comment on function tenancy.check_listing(text) is 'Check: tenants that the Data API does not list.';
