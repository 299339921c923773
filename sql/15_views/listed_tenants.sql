create view tenancy.listed_tenants as
    select t.schema_name, t.display_name, t.status, t.schema_version, t.created_at
    from public.tenants t
    where t.status <> 'pooled';

comment on view tenancy.listed_tenants is
    'The tenants that people see in lists and counts: all but those in the pool.';
