create table public.admin_users (
    user_id uuid not null,
    role tenancy.platform_role not null,
    granted_by uuid,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    constraint admin_users_pkey primary key (user_id),
    constraint admin_users_user_id_fkey foreign key (user_id)
        references auth.users (id) on delete cascade,
    constraint admin_users_granted_by_fkey foreign key (granted_by)
        references auth.users (id) on delete set null
);

create index admin_users_granted_by_idx on public.admin_users (granted_by);

alter table public.admin_users enable row level security;

comment on table public.admin_users is
    'The platform staff, who manage tenants. They do not read rows of tenants.';
comment on column public.admin_users.granted_by is
    'User who appointed this member of staff; null if the service key did, or once that user is deleted.';
comment on column public.admin_users.expires_at is
    'The role is valid until this moment; null means until it is revoked.';
