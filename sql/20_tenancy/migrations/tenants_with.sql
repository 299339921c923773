create function tenancy.tenants_with(migration tenancy.tenant_migrations)
    returns text[]
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select t.schema_name
        from tenancy.tenant_migrations m
        join public.tenants t on t.schema_version = m.version
        where m.position >= migration.position
        order by t.schema_name
    );
end;
$$;

comment on function tenancy.tenants_with(tenancy.tenant_migrations) is
    'The tenants that have received a tenant migration, by name.';
