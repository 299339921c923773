create type public.tenantry_platform_health as (
    tenant_count integer,
    active integer,
    suspended integer,
    latest_version text,
    up_to_date integer,
    behind integer,
    stuck integer,
    versions jsonb,
    stuck_tenants jsonb,
    total_bytes bigint,
    largest_tenants jsonb,
    growth jsonb,
    cache_load jsonb,
    cache_load_forecast jsonb,
    dump_locks jsonb
);

comment on type public.tenantry_platform_health is 'The state of the platform, as get_platform_health returns it.';
comment on column public.tenantry_platform_health.versions is
    'The versions that tenants have, the latest first: version, name, tenants, and pending, the number of migrations behind it.';
comment on column public.tenantry_platform_health.stuck_tenants is
    'The first 20 tenants whose next migration has failed, with the reason.';
comment on column public.tenantry_platform_health.total_bytes is
    'Size of all tenants on disk, as of the last VACUUM or ANALYZE of each table.';
comment on column public.tenantry_platform_health.largest_tenants is
    'The ten largest tenants: schema_name, display_name, bytes.';
comment on column public.tenantry_platform_health.growth is
    'The last 90 days (UTC), today included: day, tenants at its end, created and deleted on it.';
comment on column public.tenantry_platform_health.cache_load is
    'The last measured load of PostgREST''s schema cache: measured_at, tenants, milliseconds, and limit_milliseconds (null without a limit). Null before the doctor measured one.';
comment on column public.tenantry_platform_health.cache_load_forecast is
    'With how many tenants the load takes 8, 30 and 60 seconds: seconds, tenants. Empty before it was measured with 300 tables.';
comment on column public.tenantry_platform_health.dump_locks is
    'The locks that a dump of everything takes: needed, available, and most_tenants, with how many it runs out of them (null without tenants).';
