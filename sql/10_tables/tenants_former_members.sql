-- Without a foreign key to auth.users: its check would lock the user after the tenant, and taking
-- access away must wait for nobody. The row of a deleted user means nothing.
create table tenancy.tenants_former_members (
    schema_name text not null,
    user_id uuid not null,
    access_level tenancy.access_level,
    expires_at timestamptz,
    ended_at timestamptz not null default now(),
    constraint tenants_former_members_pkey primary key (schema_name, user_id),
    constraint tenants_former_members_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade
);

alter table tenancy.tenants_former_members enable row level security;

comment on table tenancy.tenants_former_members is
    'How the last access of a user to a tenant ended. It counts while the user has no access: whoever was removed cannot join by a domain, and whoever left gets no more back than they had.';
comment on column tenancy.tenants_former_members.access_level is
    'The level of a user who left by themselves; null if somebody else took the access away.';
comment on column tenancy.tenants_former_members.expires_at is
    'When the access of a user who left by themselves was to end.';
