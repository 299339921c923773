create type public.tenantry_access_requests_setting as (
    schema_name text,
    enabled boolean
);

comment on type public.tenantry_access_requests_setting is 'Whether users may request access to a tenant.';
