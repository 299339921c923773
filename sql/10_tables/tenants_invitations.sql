create table tenancy.tenants_invitations (
    id uuid not null default gen_random_uuid(),
    schema_name text not null,
    email text not null,
    -- As Auth folds an address. Auth takes ASCII alone, and no other letter may become one of it.
    folded_email text collate "C" not null generated always as (lower(email collate "C")) stored,
    access_level tenancy.access_level not null,
    roles text[] not null default '{}',
    expires_at timestamptz,
    secret_hash bytea not null,
    invited_by uuid,
    created_at timestamptz not null default now(),
    valid_until timestamptz not null,
    ended_at timestamptz,
    constraint tenants_invitations_pkey primary key (id),
    constraint tenants_invitations_secret_hash_key unique (secret_hash),
    constraint tenants_invitations_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade,
    -- Not `set null`, which would make it an invitation by the service key.
    constraint tenants_invitations_invited_by_fkey foreign key (invited_by)
        references auth.users (id) on delete cascade
);

-- One open invitation for an address. list_invitations reads them in this order.
create unique index tenants_invitations_open_key on tenancy.tenants_invitations (schema_name, folded_email)
    where ended_at is null;
-- The invitations of the last day are counted. Deleting a tenant or a user looks theirs up, too.
create index tenants_invitations_schema_name_idx on tenancy.tenants_invitations (schema_name, created_at);
create index tenants_invitations_invited_by_idx on tenancy.tenants_invitations (invited_by, created_at);

alter table tenancy.tenants_invitations enable row level security;

comment on table tenancy.tenants_invitations is
    'The invitations to tenants. A row that has ended is kept for a day, because the invitations of a day are counted.';
comment on column tenancy.tenants_invitations.roles is
    'The roles of the grant that the invitation gives, sorted. drop_role takes a role from open invitations, too.';
comment on column tenancy.tenants_invitations.expires_at is
    'When the access ends that the invitation gives; null means that it lasts until it is revoked.';
comment on column tenancy.tenants_invitations.secret_hash is
    'SHA-256 of the secret. The secret itself is shown once, by invite_member, and stored nowhere.';
comment on column tenancy.tenants_invitations.invited_by is
    'User who invited; null if the service key did. The invitation goes with that user.';
comment on column tenancy.tenants_invitations.valid_until is 'Until when the invitation can be accepted.';
comment on column tenancy.tenants_invitations.ended_at is
    'When the invitation was accepted, declined, revoked or replaced. admin_audit_log says which.';
