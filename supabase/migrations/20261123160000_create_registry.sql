-- Everything that decides lives in `tenancy`, which is never exposed through the Data API.
-- `public` holds only what a client may name: four tables and the RPCs.
create schema tenancy;

comment on schema tenancy is
    'Private helpers of the multi-tenancy system. Never expose it through the Data API.';

-- Declared from least to most: comparisons such as `level >= 'write'` rely on the order.
create type public.access_level as enum ('read', 'write', 'admin');

comment on type public.access_level is
    'What a user may do in one tenant: read rows, also write them, also administer the tenant.';

-- Declared from least to most: comparisons such as `role >= 'admin'` rely on the order.
create type public.platform_role as enum ('viewer', 'admin', 'super_admin');

comment on type public.platform_role is
    'What a member of the platform staff may do: look at tenants, also manage them, also delete them and appoint staff. No role reads tenant rows.';

create type public.tenant_migration_outcome as enum ('migrated', 'up_to_date', 'failed');

comment on type public.tenant_migration_outcome is
    'What became of a call of migrate_tenant. Of a failed migration the tenant kept nothing.';

create type public.tenant_status as enum ('active', 'suspended');

comment on type public.tenant_status is
    'Whether a tenant answers: an active one does; a suspended one refuses everybody, service key included.';

create type public.audit_entry as (
    id bigint,
    occurred_at timestamptz,
    actor_id uuid,
    actor_role text,
    action text,
    table_name text,
    record_id jsonb,
    old_values jsonb,
    new_values jsonb
);

comment on type public.audit_entry is 'One entry of a tenant''s audit_log, as get_audit_log tells it.';

create type public.audit_pruning as (
    schema_name text,
    removed bigint,
    head text
);

comment on type public.audit_pruning is 'The answer of prune_audit_log: how many entries went, and the head of the chain up to the last of them.';

create type public.audit_redaction as (
    schema_name text,
    user_id uuid,
    redacted bigint
);

comment on type public.audit_redaction is 'The answer of redact_audit_log: how many entries lost their values.';

create type public.audit_seal as (
    sealed_now bigint,
    sealed_total bigint,
    head text
);

comment on type public.audit_seal is 'The answer of seal_audit_log.';
comment on column public.audit_seal.sealed_now is 'Entries this call sealed.';
comment on column public.audit_seal.sealed_total is 'Entries sealed so far, pruned ones included.';
comment on column public.audit_seal.head is
    'SHA-256 over all of them in hexadecimal; null while nothing is sealed. Keep it outside the database.';

create type public.audit_verification as (
    is_intact boolean,
    checked bigint,
    head text,
    problem text,
    entry_id bigint
);

comment on type public.audit_verification is 'The answer of verify_audit_log.';
comment on column public.audit_verification.checked is 'Sealed entries looked at.';
comment on column public.audit_verification.problem is
    'changed, removed, inserted (then entry_id says which entry), seal_changed, or head_not_found; null if intact.';

create type tenancy.caller as (
    kind text,
    user_id uuid
);

comment on type tenancy.caller is
    'Who is calling: kind is service_role, postgres, user or nobody; user_id is set for a user alone.';

create type public.ensured_user_profile as (
    id uuid,
    email text,
    display_name text,
    role text,
    metadata jsonb,
    created_at timestamptz,
    updated_at timestamptz,
    is_active boolean,
    is_new boolean
);

comment on type public.ensured_user_profile is
    'The caller''s profile, and whether this call made it.';

create type public.schema_difference as (
    object_kind text,
    object_name text,
    difference text,
    expected text,
    found text
);

comment on type public.schema_difference is 'One thing in which a tenant is not what its version says.';
comment on column public.schema_difference.difference is 'missing, extra or different.';
comment on column public.schema_difference.expected is 'What the reference schema has; null for what is extra.';
comment on column public.schema_difference.found is 'What the tenant has; null for what is missing.';

create type tenancy.schema_object as (
    object_kind text,
    object_name text,
    table_name text,
    is_extension boolean,
    definition text
);

comment on type tenancy.schema_object is
    'One thing in a schema, as two schemas can be compared by: what it is, its name, and all that it says.';
comment on column tenancy.schema_object.table_name is
    'The table it is part of, or is; null for what stands by itself.';
comment on column tenancy.schema_object.is_extension is
    'Whether it is, or rests on, a column x_…, as a tenant adds them to the template''s tables.';

create type public.schema_summary as (
    table_count bigint,
    row_estimate bigint,
    total_bytes bigint
);

comment on type public.schema_summary is 'The answer of get_schema_summary; units as in schema_table.';

create type public.schema_table as (
    table_name text,
    column_count bigint,
    row_estimate bigint,
    total_bytes bigint,
    description text
);

comment on type public.schema_table is 'One table of a tenant, as get_schema_tables tells it.';
comment on column public.schema_table.row_estimate is
    'Rows as PostgreSQL''s statistics know them; nothing is counted.';
comment on column public.schema_table.total_bytes is
    'Size on disk with indexes and out-of-line values, in bytes.';

create type public.table_column as (
    column_name text,
    ordinal_position integer,
    data_type text,
    is_nullable boolean,
    column_default text,
    is_primary_key boolean,
    description text
);

comment on type public.table_column is 'One column of a tenant''s table, as get_table_columns tells it.';
comment on column public.table_column.ordinal_position is
    'Place in the table, from 1; dropped columns leave gaps.';
comment on column public.table_column.data_type is
    'The type as PostgreSQL prints it: character varying(40), timestamp with time zone.';
comment on column public.table_column.column_default is 'The default as SQL; null for none.';

create type public.table_foreign_key as (
    constraint_name text,
    columns text[],
    foreign_table text,
    foreign_columns text[],
    on_update text,
    on_delete text
);

comment on type public.table_foreign_key is
    'One foreign key of a tenant''s table, as get_table_foreign_keys tells it.';
comment on column public.table_foreign_key.on_delete is
    'NO ACTION, RESTRICT, CASCADE, SET NULL or SET DEFAULT.';

create type public.tenant_behind as (
    schema_name text,
    schema_version text,
    next_version text,
    pending integer,
    sqlstate text,
    message text,
    failed_at timestamptz
);

comment on type public.tenant_behind is
    'A tenant that lacks migrations; and why, if the next one has failed before.';

create type tenancy.tenant_grant as (
    object_kind text,
    object_name text,
    grantee text,
    expected text,
    found text
);

comment on type tenancy.tenant_grant is 'What one role was to be able to do with one object, and can do.';

create type public.tenant_info as (
    schema_name text,
    display_name text,
    status public.tenant_status,
    suspension_reason text,
    created_at timestamptz,
    access_level public.access_level,
    member_count bigint
);

comment on type public.tenant_info is 'The answer of get_tenant_info.';
comment on column public.tenant_info.access_level is
    'The caller''s own level; null for platform staff without a grant.';
comment on column public.tenant_info.member_count is 'Users with an unexpired grant.';

create type public.tenant_membership as (
    schema_name text,
    display_name text,
    status public.tenant_status,
    access_level public.access_level
);

comment on type public.tenant_membership is 'One tenant of the caller, as list_my_tenants tells it.';

create type public.tenant_migration_result as (
    schema_name text,
    outcome public.tenant_migration_outcome,
    version text,
    pending integer,
    sqlstate text,
    message text
);

comment on type public.tenant_migration_result is 'The answer of migrate_tenant.';
comment on column public.tenant_migration_result.version is
    'The migration that was applied or failed; of a tenant that is up to date, the one it is at.';
comment on column public.tenant_migration_result.pending is 'Migrations that this tenant still lacks.';

create type public.tenant_migration_status as (
    latest_version text,
    tenant_count integer,
    up_to_date integer,
    behind integer,
    failed integer
);

comment on type public.tenant_migration_status is 'The answer of get_migration_status.';
comment on column public.tenant_migration_status.failed is
    'Of those behind, the tenants whose next migration has failed and was rolled back.';

create type tenancy.tenant_privilege as (
    object_kind text,
    object_name text,
    verbs text
);

comment on type tenancy.tenant_privilege is
    'What authenticated and service_role may do with one object, in the words of a GRANT.';

create type public.tenant_status_report as (
    schema_name text,
    status public.tenant_status
);

comment on type public.tenant_status_report is 'The answer of check_tenant_status.';

create type public.user_profile as (
    id uuid,
    email text,
    display_name text,
    role text,
    metadata jsonb,
    created_at timestamptz,
    updated_at timestamptz,
    is_active boolean
);

comment on type public.user_profile is
    'A row of a tenant''s users table, with what the registry knows of it.';
comment on column public.user_profile.is_active is
    'Whether the user holds an unexpired grant on the tenant now. Computed, never stored: it follows the deletion of a user by itself.';

-- No foreign keys: the log outlives the tenants and the users it speaks of.
create table public.admin_audit_log (
    id bigint not null generated always as identity,
    occurred_at timestamptz not null default clock_timestamp(),
    actor_id uuid,
    actor_role text not null,
    action text not null,
    schema_name text,
    tenant_id uuid,
    details jsonb not null default '{}',
    request_id text,
    constraint admin_audit_log_pkey primary key (id)
);

create index admin_audit_log_tenant_id_idx on public.admin_audit_log (tenant_id, id);
create index admin_audit_log_actor_id_idx on public.admin_audit_log (actor_id, id);

alter table public.admin_audit_log enable row level security;

comment on table public.admin_audit_log is
    'Audit trail of all admin actions: one entry for each call that changed something, written in its transaction.';
comment on column public.admin_audit_log.actor_id is 'User who acted; null for the service key and for SQL.';
comment on column public.admin_audit_log.actor_role is
    'What the actor was at that time: a platform role, tenant_<access level>, service_role or postgres.';
comment on column public.admin_audit_log.action is 'What happened, as <thing>.<verb>: tenant.suspend, access.grant …';
comment on column public.admin_audit_log.tenant_id is
    'The tenant by its id: a schema name may be used again after a deletion, and its new owner must not read the old one''s trail.';
comment on column public.admin_audit_log.details is 'The values before and after the change.';
comment on column public.admin_audit_log.request_id is
    'X-Request-Id as the caller claims it; join it with the log line of the function.';

create table public.admin_users (
    user_id uuid not null,
    role public.platform_role not null,
    granted_by uuid,
    created_at timestamptz not null default now(),
    constraint admin_users_pkey primary key (user_id),
    constraint admin_users_user_id_fkey foreign key (user_id)
        references auth.users (id) on delete cascade,
    constraint admin_users_granted_by_fkey foreign key (granted_by)
        references auth.users (id) on delete set null
);

create index admin_users_granted_by_idx on public.admin_users (granted_by);

alter table public.admin_users enable row level security;

comment on table public.admin_users is 'Platform staff: who manages tenants. They do not read tenant rows.';
comment on column public.admin_users.granted_by is
    'User who appointed them; null for the service key, or once that user is deleted.';

create table tenancy.audit_seal_runs (
    schema_name text not null,
    place bigint not null,
    sealed_at timestamptz not null default clock_timestamp(),
    oldest_running xid8 not null,
    last_entry_id bigint not null,
    horizon xid8 not null,
    constraint audit_seal_runs_pkey primary key (schema_name, place)
);

alter table tenancy.audit_seal_runs enable row level security;

comment on table tenancy.audit_seal_runs is
    'When the chain grew, and what the database looked like then: enough to tell an entry that committed late from one slipped in afterwards.';
comment on column tenancy.audit_seal_runs.place is 'Place of the last link that the run added.';
comment on column tenancy.audit_seal_runs.oldest_running is
    'The run sealed what transactions before this one had written.';
comment on column tenancy.audit_seal_runs.last_entry_id is
    'The highest entry id handed out by then.';
comment on column tenancy.audit_seal_runs.horizon is
    'A transaction number handed out after that: later transactions can only have higher entry ids.';

create table tenancy.audit_seals (
    schema_name text not null,
    place bigint not null,
    entry_id bigint not null,
    entry_hash bytea not null,
    redacted_hash bytea,
    hash bytea not null,
    is_anchor boolean not null default false,
    constraint audit_seals_pkey primary key (schema_name, place),
    constraint audit_seals_entry_key unique (schema_name, entry_id)
);

alter table tenancy.audit_seals enable row level security;

comment on table tenancy.audit_seals is
    'The hash chain over each audit log: one link for each sealed entry, in the order of sealing.';
comment on column tenancy.audit_seals.schema_name is 'Where the log is: a tenant''s schema, or public for admin_audit_log.';
comment on column tenancy.audit_seals.entry_hash is 'SHA-256 of the entry as it was sealed.';
comment on column tenancy.audit_seals.redacted_hash is
    'SHA-256 of the entry without its values, where they were removed on request.';
comment on column tenancy.audit_seals.hash is 'SHA-256 of the previous link''s hash and this entry_hash.';
comment on column tenancy.audit_seals.is_anchor is
    'The last link before the chain''s remains: its entry and all before it were pruned.';

create table tenancy.platform_settings (
    singleton boolean not null default true,
    max_tables integer not null default 200,
    constraint platform_settings_pkey primary key (singleton),
    constraint platform_settings_is_singleton check (singleton),
    constraint platform_settings_max_tables_positive check (max_tables > 0)
);

alter table tenancy.platform_settings enable row level security;

comment on table tenancy.platform_settings is
    'Limits of the platform, one row. Change them with SQL as postgres.';
comment on column tenancy.platform_settings.max_tables is
    'Tables a tenant may have. All tenants share one schema cache in PostgREST, so one tenant''s tables are everybody''s reload time.';

insert into tenancy.platform_settings default values;

create table tenancy.tenant_migrations (
    version text collate "C" not null,
    name text not null,
    statements text not null,
    callable_routines text[] not null default '{}',
    registered_at timestamptz not null default now(),
    constraint tenant_migrations_pkey primary key (version),
    -- So that their order is the order of time.
    constraint tenant_migrations_version_is_number check (version ~ '^[0-9]+$')
);

alter table tenancy.tenant_migrations enable row level security;

comment on table tenancy.tenant_migrations is
    'The tenant template as the migrations that build it, replayed in the order of their versions for each new tenant.';
comment on column tenancy.tenant_migrations.statements is
    'SQL as for one tenant: unqualified names, run with the tenant''s schema first in search_path.';
comment on column tenancy.tenant_migrations.callable_routines is
    'Names of routines that the API may call from this version on, while the tenant is active.';

create table tenancy.tenant_template_objects (
    version text collate "C" not null,
    object_kind text not null,
    object_name text not null,
    table_name text,
    definition text not null,
    constraint tenant_template_objects_pkey primary key (version, object_kind, object_name),
    constraint tenant_template_objects_version_fkey foreign key (version)
        references tenancy.tenant_migrations (version) on delete cascade
);

alter table tenancy.tenant_template_objects enable row level security;

comment on table tenancy.tenant_template_objects is
    'What the reference schema was made of after each tenant migration: what a tenant at that version is compared with, whether or not the reference has moved on.';

create table public.tenants (
    id uuid not null default gen_random_uuid(),
    schema_name text not null,
    display_name text not null,
    status public.tenant_status not null default 'active',
    suspended_at timestamptz,
    suspension_reason text,
    schema_version text collate "C" not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    constraint tenants_pkey primary key (id),
    constraint tenants_schema_name_key unique (schema_name),
    -- The user may leave; the tenant and the deletion of the user must not care.
    constraint tenants_created_by_fkey foreign key (created_by)
        references auth.users (id) on delete set null,
    constraint tenants_display_name_length check (char_length(display_name) between 1 and 200),
    constraint tenants_suspension_reason_length check (char_length(suspension_reason) <= 1000),
    constraint tenants_suspended_at_iff_suspended
        check ((status = 'suspended') = (suspended_at is not null))
);

-- Deleting a user looks for the tenants they made; without this it reads the whole registry.
create index tenants_created_by_idx on public.tenants (created_by);

-- Who is behind: nobody, nearly always, and then nothing is read.
create index tenants_schema_version_idx on public.tenants (schema_version, schema_name);

alter table public.tenants enable row level security;

comment on table public.tenants is
    'Registry of all tenant schemas: a tenant exists if and only if it has a row here.';
comment on column public.tenants.schema_name is
    'Name of the tenant''s PostgreSQL schema, and the profile to ask the Data API for.';
comment on column public.tenants.display_name is 'What people call the tenant. Free text, 1 to 200 characters.';
comment on column public.tenants.schema_version is
    'Version of the last tenant migration this tenant has received.';
comment on column public.tenants.created_by is
    'User who created the tenant; null for the service key, or once that user is deleted.';

create table tenancy.unfinished_migrations (
    schema_name text not null,
    version text collate "C" not null,
    sqlstate text not null,
    message text not null,
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
    'Tenants whose next migration failed and was rolled back, until it succeeds.';
comment on column tenancy.unfinished_migrations.message is
    'The error without its detail, which may quote the tenant''s rows.';

create table public.user_schema_access (
    user_id uuid not null,
    schema_name text not null,
    access_level public.access_level not null default 'read',
    expires_at timestamptz,
    granted_by uuid,
    granted_at timestamptz not null default now(),
    constraint user_schema_access_pkey primary key (user_id, schema_name),
    constraint user_schema_access_user_id_fkey foreign key (user_id)
        references auth.users (id) on delete cascade,
    constraint user_schema_access_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade,
    constraint user_schema_access_granted_by_fkey foreign key (granted_by)
        references auth.users (id) on delete set null
);

create index user_schema_access_schema_name_idx on public.user_schema_access (schema_name);
create index user_schema_access_granted_by_idx on public.user_schema_access (granted_by);

alter table public.user_schema_access enable row level security;

comment on table public.user_schema_access is 'Who may do what in which tenant, and until when.';
comment on column public.user_schema_access.expires_at is
    'The grant counts until this moment; null means until it is revoked.';
comment on column public.user_schema_access.granted_by is
    'User who granted it; null for the service key, or once that user is deleted.';
