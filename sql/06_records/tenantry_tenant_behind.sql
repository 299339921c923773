create type public.tenantry_tenant_behind as (
    schema_name text,
    schema_version text,
    next_version text,
    pending integer,
    is_pooled boolean,
    sqlstate text,
    message text,
    stuck_since timestamptz,
    failed_at timestamptz,
    has_more boolean
);

comment on type public.tenantry_tenant_behind is
    'A tenant that lacks tenant migrations, and the error if it is stuck, because the next one has failed.';
comment on column public.tenantry_tenant_behind.is_pooled is
    'Whether it is in the pool and not a tenant yet.';
comment on column public.tenantry_tenant_behind.stuck_since is
    'When its next migration failed first; null if it has not failed.';
comment on column public.tenantry_tenant_behind.has_more is
    'Whether another tenant follows. Of the last tenant of a page: whether there is a next page.';
