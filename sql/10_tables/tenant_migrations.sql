create table tenancy.tenant_migrations (
    version text collate "C" not null,
    name text not null,
    statements text not null,
    registered_at timestamptz not null default now(),
    constraint tenant_migrations_pkey primary key (version)
);

alter table tenancy.tenant_migrations enable row level security;

comment on table tenancy.tenant_migrations is
    'The tenant template as the migrations that build it, replayed in the order of their versions for each new tenant.';
comment on column tenancy.tenant_migrations.statements is
    'SQL as for one tenant: unqualified names, run with the tenant''s schema first in search_path.';
