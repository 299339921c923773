create table tenancy.cache_load_measurements (
    measured_at timestamptz not null default clock_timestamp(),
    tenant_count integer not null,
    relation_count integer not null,
    milliseconds integer not null,
    constraint cache_load_measurements_pkey primary key (measured_at),
    constraint cache_load_measurements_not_negative
    check (least(tenant_count, relation_count, milliseconds) >= 0)
);

alter table tenancy.cache_load_measurements enable row level security;

comment on table tenancy.cache_load_measurements is
    'How long PostgREST took to load its schema cache. The doctor adds a row. record_cache_load keeps the latest 500.';
comment on column tenancy.cache_load_measurements.tenant_count is 'Number of tenants, the pool included.';
comment on column tenancy.cache_load_measurements.relation_count is
    'Number of tables and views in the exposed schemas, which the load reads.';
comment on column tenancy.cache_load_measurements.milliseconds is
    'Milliseconds of the load''s transaction in the database, by the wall clock.';
