create table tenancy.platform_settings (
    singleton boolean not null default true,
    max_tables integer not null default 200,
    max_columns integer not null default 5000,
    max_indexes integer not null default 1000,
    max_foreign_keys integer not null default 500,
    max_text_bytes integer not null default 1048576,
    max_default_bytes integer not null default 8192,
    max_unique_columns integer not null default 32,
    audit_retention_days integer not null default 90,
    pool_size integer not null default 0,
    pool_wait_seconds integer not null default 60,
    invitation_days integer not null default 7,
    max_open_invitations integer not null default 200,
    max_daily_invitations integer not null default 500,
    max_roles integer not null default 100,
    max_domains integer not null default 100,
    max_open_requests integer not null default 200,
    max_daily_requests integer not null default 500,
    max_daily_user_requests integer not null default 20,
    constraint platform_settings_pkey primary key (singleton),
    constraint platform_settings_is_singleton check (singleton),
    constraint platform_settings_max_tables_positive check (max_tables > 0),
    -- PostgREST returns at most 1,000 rows. All tables of a tenant are in one reply, and all
    -- foreign keys of a table.
    constraint platform_settings_lists_fit_a_reply check (greatest(max_tables, max_foreign_keys) <= 1000),
    constraint platform_settings_budgets_not_negative check (
        least(
            max_columns, max_indexes, max_foreign_keys, max_text_bytes, max_default_bytes,
            max_unique_columns
        ) >= 0
    ),
    -- A time before which nothing can have happened would overflow, and mean nothing.
    constraint platform_settings_audit_retention_possible check (audit_retention_days between 0 and 36500),
    -- Without BETWEEN, which a restored dump nests in another way.
    constraint platform_settings_pool_possible check (
        pool_size >= 0 and pool_size <= 1000 and pool_wait_seconds >= 0 and pool_wait_seconds <= 86400
    ),
    constraint platform_settings_invitations_possible check (
        least(invitation_days, max_open_invitations, max_daily_invitations) >= 0 and invitation_days <= 365
    ),
    -- Far below the 1,000 rows of a reply, which has the roles of the template, too.
    constraint platform_settings_max_roles_possible check (max_roles >= 0 and max_roles <= 500),
    -- list_tenant_domains returns all of them.
    constraint platform_settings_domains_fit_a_reply check (max_domains >= 0 and max_domains <= 1000),
    constraint platform_settings_requests_possible check (
        least(max_open_requests, max_daily_requests, max_daily_user_requests) >= 0
    )
);

alter table tenancy.platform_settings enable row level security;

comment on table tenancy.platform_settings is
    'Limits of the platform, in one row. Change them with SQL as postgres.';
comment on column tenancy.platform_settings.max_tables is
    'Number of tables that a tenant may have. All tenants share one schema cache in PostgREST, so the tables of one tenant make the reload longer for all.';
comment on column tenancy.platform_settings.max_columns is
    'Number of columns that the tables of a tenant may have together.';
comment on column tenancy.platform_settings.max_indexes is
    'Number of indexes that a tenant may have, those of primary keys and unique columns included.';
comment on column tenancy.platform_settings.max_foreign_keys is
    'Number of foreign keys that a tenant may have.';
comment on column tenancy.platform_settings.max_text_bytes is
    'Bytes that the column defaults and the table comments of a tenant may have together. PostgREST keeps these texts in its schema cache.';
comment on column tenancy.platform_settings.max_default_bytes is
    'Bytes that the default of one column may have.';
comment on column tenancy.platform_settings.max_unique_columns is
    'Number of unique columns in one call of create_table.';
comment on column tenancy.platform_settings.audit_retention_days is
    'Number of days for which prune_audit_log must keep every entry of every audit log. A larger number applies at once. A smaller one applies when the number of days before it has passed. Each change is logged as audit.retention.';
comment on column tenancy.platform_settings.pool_size is
    'Number of tenants that refill_tenant_pool makes in advance, 0 to 1,000. create_tenant_schema without a name takes them.';
comment on column tenancy.platform_settings.pool_wait_seconds is
    'Number of seconds after which a tenant in the pool can be taken, 0 to 86,400, counted from when it was made or migrated. PostgREST has to load its schema cache in this time: choose at least twice what a load takes.';
comment on column tenancy.platform_settings.invitation_days is
    'Number of days for which an invitation can be accepted, 0 to 365. A change applies to later invitations.';
comment on column tenancy.platform_settings.max_open_invitations is
    'Number of open invitations that a tenant may have.';
comment on column tenancy.platform_settings.max_daily_invitations is
    'Number of invitations that a tenant may make in 24 hours, and that a user may make in all tenants together. Your product sends a mail for each.';
comment on column tenancy.platform_settings.max_roles is
    'Number of roles of its own that a tenant may define, 0 to 500.';
comment on column tenancy.platform_settings.max_domains is
    'Number of domains and SSO providers that a tenant may have for joining, 0 to 1,000.';
comment on column tenancy.platform_settings.max_open_requests is
    'Number of open requests for access that a tenant may have.';
comment on column tenancy.platform_settings.max_daily_requests is
    'Number of requests for access that a tenant takes in 24 hours.';
comment on column tenancy.platform_settings.max_daily_user_requests is
    'Number of requests for access that a user may make in 24 hours, in all tenants together.';

insert into tenancy.platform_settings default values;
