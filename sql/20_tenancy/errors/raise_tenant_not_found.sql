create function tenancy.raise_tenant_not_found(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.log_refusal('tenant_not_found', schema_name);
    raise exception 'There is no tenant %.', coalesce('"' || tenancy.printable(schema_name) || '"', 'without a name')
        using errcode = 'PT404', detail = 'tenant_not_found',
            hint = 'Check the name with list_my_tenants, or ask for access.';
end;
$$;

comment on function tenancy.raise_tenant_not_found(text) is
    'Raises the error that hides a tenant: the same for one that is missing (PT404 tenant_not_found).';
