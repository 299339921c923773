create table public.tenants (
    id uuid not null default gen_random_uuid(),
    schema_name text not null,
    display_name text not null,
    status tenancy.tenant_status not null default 'active',
    suspended_at timestamptz,
    suspension_reason text,
    schema_version text collate "C" not null,
    created_at timestamptz not null default now(),
    created_by uuid,
    updated_at timestamptz not null default now(),
    constraint tenants_pkey primary key (id),
    constraint tenants_schema_name_key unique (schema_name),
    -- Drift and the protection of the template's tables look up the objects of this version.
    constraint tenants_schema_version_fkey foreign key (schema_version)
        references tenancy.tenant_migrations (version),
    -- A user can always be deleted, and the tenant stays.
    constraint tenants_created_by_fkey foreign key (created_by)
        references auth.users (id) on delete set null,
    constraint tenants_display_name_length check (char_length(display_name) between 1 and 200),
    constraint tenants_suspension_reason_length check (char_length(suspension_reason) <= 1000),
    constraint tenants_suspended_at_iff_suspended
        check ((status = 'suspended') = (suspended_at is not null))
);

-- Deleting a user looks up the tenants that the user created; without this index it reads
-- the whole registry.
create index tenants_created_by_idx on public.tenants (created_by);

-- list_tenants_behind looks up the tenants of each older version. Usually no tenant has an older
-- version, and then the function reads no row.
create index tenants_schema_version_idx on public.tenants (schema_version, schema_name);

-- create_tenant_schema looks for the one that has been in the pool the longest.
create index tenants_pooled_idx on public.tenants (schema_version, updated_at) where status = 'pooled';

alter table public.tenants enable row level security;

comment on table public.tenants is
    'Registry of all tenant schemas: a tenant exists if and only if it has a row here.';
comment on column public.tenants.schema_name is
    'Name of the tenant''s PostgreSQL schema. Clients name it as the profile of a Data API request.';
comment on column public.tenants.display_name is 'What people call the tenant. Free text, 1 to 200 characters.';
comment on column public.tenants.schema_version is
    'Version of the last tenant migration this tenant has received.';
comment on column public.tenants.created_by is
    'User who created the tenant; null for the service key, or once that user is deleted.';
