create type public.tenantry_tenant_pool as (
    pool_size integer,
    ready integer,
    waiting integer,
    behind integer,
    missing integer,
    surplus integer,
    made integer,
    removed integer
);

comment on type public.tenantry_tenant_pool is
    'The pool of ready tenants. Result of get_tenant_pool and refill_tenant_pool.';
comment on column public.tenantry_tenant_pool.pool_size is
    'Number of tenants that the pool should have: tenancy.platform_settings.pool_size.';
comment on column public.tenantry_tenant_pool.ready is
    'Tenants that create_tenant_schema can take now.';
comment on column public.tenantry_tenant_pool.waiting is
    'Tenants that were made or migrated less than tenancy.platform_settings.pool_wait_seconds ago, so that PostgREST may not know their tables yet.';
comment on column public.tenantry_tenant_pool.behind is
    'Tenants that lack tenant migrations. tenantry migrate migrates them.';
comment on column public.tenantry_tenant_pool.missing is
    'Number of tenants that calls of refill_tenant_pool still have to make.';
comment on column public.tenantry_tenant_pool.surplus is
    'Number of tenants that calls of refill_tenant_pool still have to remove: those beyond pool_size, and those that cannot be used, because a tenant migration has failed there or the schema is gone.';
comment on column public.tenantry_tenant_pool.made is 'Number of tenants that this call has made.';
comment on column public.tenantry_tenant_pool.removed is 'Number of tenants that this call has removed.';
