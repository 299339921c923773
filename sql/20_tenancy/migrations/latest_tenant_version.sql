create function tenancy.latest_tenant_version()
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select m.version
    from tenancy.tenant_migrations m
    order by m.position desc
    limit 1;
$$;

comment on function tenancy.latest_tenant_version() is
    'Version of the tenant migration that was registered last. A new tenant starts at this version.';
