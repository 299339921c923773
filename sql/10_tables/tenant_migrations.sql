create table tenancy.tenant_migrations (
    version text collate "C" not null,
    position integer not null,
    name text not null,
    statements text not null,
    callable_routines text[] not null default '{}',
    phase tenancy.migration_phase not null default 'change',
    limit_seconds integer not null default 5,
    batch integer,
    audit_rows boolean not null default false,
    registered_at timestamptz not null default now(),
    constraint tenant_migrations_pkey primary key (version),
    constraint tenant_migrations_position_key unique (position),
    constraint tenant_migrations_position_is_positive check (position > 0),
    -- People read and type versions: in file names, reports and the audit log.
    constraint tenant_migrations_version_is_name check (version ~ '^[a-z0-9][a-z0-9_]{0,62}$'),
    -- A null would make every comparison with the list unknown.
    constraint tenant_migrations_callable_routines_are_names
        check (array_position(callable_routines, null) is null),
    constraint tenant_migrations_limit_is_possible check (limit_seconds between 1 and 3600),
    constraint tenant_migrations_batch_iff_backfill
        check ((phase = 'backfill') = (batch is not null) and batch between 1 and 1000000)
);

alter table tenancy.tenant_migrations enable row level security;

comment on table tenancy.tenant_migrations is
    'The tenant template as the migrations that build it. Each tenant receives them in the order of their positions.';
comment on column tenancy.tenant_migrations.version is
    'Unique name of the migration; it says nothing about the order. Versions with the prefix tenantry_ are Tenantry''s own.';
comment on column tenancy.tenant_migrations.position is
    'Place in the order in which this database registered its migrations: 1, 2, 3, without gaps. Another database may have registered the same migrations in another order.';
comment on column tenancy.tenant_migrations.statements is
    'SQL as for one tenant: unqualified names, run with the tenant''s schema first in search_path.';
comment on column tenancy.tenant_migrations.callable_routines is
    'Names of routines that the API may call from this migration on, while the tenant is active.';
comment on column tenancy.tenant_migrations.phase is
    'How a tenant receives the migration. All phases share one order.';
comment on column tenancy.tenant_migrations.limit_seconds is
    'How long the migration may keep tables of a tenant locked. PostgREST waits for a locked table when it loads its schema cache, and then nobody is served. More than 5 seconds only in a session of the database: the Data API always gives 5.';
comment on column tenancy.tenant_migrations.batch is
    'Of a backfill: the number of rows that the first batch reads. Later batches are as large as a second allows.';
comment on column tenancy.tenant_migrations.audit_rows is
    'Of a backfill: whether the audit log of the tenant gets an entry for each row. Otherwise it gets one for each batch.';
