create table public.user_schema_access (
    user_id uuid not null,
    schema_name text not null,
    access_level tenancy.access_level not null default 'read',
    expires_at timestamptz,
    granted_by uuid,
    granted_at timestamptz not null default now(),
    roles text[] not null default '{}',
    permissions text[] not null default '{}',
    support_reason text,
    constraint user_schema_access_pkey primary key (user_id, schema_name),
    constraint user_schema_access_user_id_fkey foreign key (user_id)
        references auth.users (id) on delete cascade,
    constraint user_schema_access_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade,
    constraint user_schema_access_granted_by_fkey foreign key (granted_by)
        references auth.users (id) on delete set null,
    constraint user_schema_access_support_ends check (support_reason is null or expires_at is not null)
);

create index user_schema_access_schema_name_idx on public.user_schema_access (schema_name);
create index user_schema_access_granted_by_idx on public.user_schema_access (granted_by);

alter table public.user_schema_access enable row level security;

comment on table public.user_schema_access is
    'The grants: which user has which access level in which tenant, and until when.';
comment on column public.user_schema_access.expires_at is
    'The grant is valid until this moment; null means until it is revoked.';
comment on column public.user_schema_access.granted_by is
    'User who gave the grant; null if the service key did, or once that user is deleted.';
comment on column public.user_schema_access.roles is
    'Roles of the tenant and of the template that the grant carries, sorted.';
comment on column public.user_schema_access.permissions is
    'What the roles give, sorted. It is stored so that a policy reads no other table. The level admin has every declared permission without it.';
comment on column public.user_schema_access.support_reason is
    'Why a member of the platform''s staff opened this support access; null for the grants of members.';
