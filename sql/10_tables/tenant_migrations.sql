create table tenancy.tenant_migrations (
    version text collate "C" not null,
    name text not null,
    statements text not null,
    callable_routines text[] not null default '{}',
    registered_at timestamptz not null default now(),
    constraint tenant_migrations_pkey primary key (version),
    -- So that their order, which is that of texts, is the order of time. 0 is our own first.
    constraint tenant_migrations_version_is_time check (version = '0' or version ~ '^[0-9]{14}$')
);

alter table tenancy.tenant_migrations enable row level security;

comment on table tenancy.tenant_migrations is
    'The tenant template as the migrations that build it, replayed in the order of their versions for each new tenant.';
comment on column tenancy.tenant_migrations.statements is
    'SQL as for one tenant: unqualified names, run with the tenant''s schema first in search_path.';
comment on column tenancy.tenant_migrations.callable_routines is
    'Names of routines that the API may call from this version on, while the tenant is active.';
