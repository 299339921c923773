create function tenancy.latest_tenant_version()
    returns text
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return (select max(m.version) from tenancy.tenant_migrations m);
end;
$$;

comment on function tenancy.latest_tenant_version() is
    'Version of the newest tenant migration; what a new tenant starts at.';
