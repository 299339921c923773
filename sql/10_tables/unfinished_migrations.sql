create table tenancy.unfinished_migrations (
    schema_name text not null,
    version text collate "C" not null,
    sqlstate text not null,
    message text not null,
    stuck_since timestamptz not null,
    failed_at timestamptz not null,
    attempts integer not null,
    constraint unfinished_migrations_pkey primary key (schema_name),
    constraint unfinished_migrations_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade,
    constraint unfinished_migrations_version_fkey foreign key (version)
        references tenancy.tenant_migrations (version) on delete cascade
);

create index unfinished_migrations_version_idx on tenancy.unfinished_migrations (version);

alter table tenancy.unfinished_migrations enable row level security;

comment on table tenancy.unfinished_migrations is
    'Tenants whose next migration failed and was rolled back. The row goes when that migration succeeds.';
comment on column tenancy.unfinished_migrations.stuck_since is
    'When this migration failed first; failed_at is the latest attempt.';
comment on column tenancy.unfinished_migrations.message is
    'The error message. A general sentence replaces a message that could quote a value of the tenant.';
