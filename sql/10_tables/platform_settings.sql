create table tenancy.platform_settings (
    singleton boolean not null default true,
    max_tables integer not null default 200,
    constraint platform_settings_pkey primary key (singleton),
    constraint platform_settings_is_singleton check (singleton),
    constraint platform_settings_max_tables_positive check (max_tables > 0)
);

alter table tenancy.platform_settings enable row level security;

comment on table tenancy.platform_settings is
    'Limits of the platform, in one row. Change them with SQL as postgres.';
comment on column tenancy.platform_settings.max_tables is
    'Number of tables that a tenant may have. All tenants share one schema cache in PostgREST, so the tables of one tenant make the reload longer for all.';

insert into tenancy.platform_settings default values;
