create function tenancy.administered_tenant_ids()
    returns uuid[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select t.id
        from public.tenants t
        where t.schema_name = any (tenancy.administered_tenants())
    );
end;
$$;

comment on function tenancy.administered_tenant_ids() is
    'Ids of the active tenants that the caller administers. For policies: call it in a subselect, so that it runs once a statement.';
