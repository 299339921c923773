create type public.tenantry_tenant_drift as (
    schema_name text,
    has_drift boolean,
    has_more boolean
);

comment on type public.tenantry_tenant_drift is
    'Whether a tenant differs from the reference schema at its version. get_schema_drift lists the differences.';
comment on column public.tenantry_tenant_drift.has_more is
    'Whether another tenant follows. Of the last tenant of a page: whether there is a next page.';
