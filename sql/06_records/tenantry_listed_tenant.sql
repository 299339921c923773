create type public.tenantry_listed_tenant as (
    schema_name text,
    display_name text,
    status tenancy.tenant_status,
    schema_version text,
    bytes bigint,
    last_activity_at timestamptz,
    created_at timestamptz,
    cursor text,
    total_count bigint
);

comment on type public.tenantry_listed_tenant is 'One tenant, as list_tenants returns it.';
comment on column public.tenantry_listed_tenant.bytes is
    'Size on disk: tables with their indexes and out-of-line values, as of the last VACUUM or ANALYZE of each.';
comment on column public.tenantry_listed_tenant.last_activity_at is
    'When a user or the service key last changed an audited row or called ensure_user_profile, to within five minutes; null if never.';
comment on column public.tenantry_listed_tenant.cursor is
    'The place of the row in this order. For the page behind it, give it as after.';
comment on column public.tenantry_listed_tenant.total_count is
    'Number of tenants that match. Only on the first page; null on the others.';
