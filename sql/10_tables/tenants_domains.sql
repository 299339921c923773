create table tenancy.tenants_domains (
    schema_name text not null,
    domain text collate "C" not null,
    access_level tenancy.access_level not null,
    challenge text,
    added_by uuid,
    created_at timestamptz not null default now(),
    verified_by uuid,
    verified_at timestamptz,
    constraint tenants_domains_pkey primary key (schema_name, domain),
    constraint tenants_domains_access_level_below_admin check (access_level < 'admin'),
    constraint tenants_domains_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade,
    -- The domain belongs to the tenant, so it outlives whoever added it.
    constraint tenants_domains_added_by_fkey foreign key (added_by)
        references auth.users (id) on delete set null,
    constraint tenants_domains_verified_by_fkey foreign key (verified_by)
        references auth.users (id) on delete set null
);

-- The tenants of the caller's domain.
create index tenants_domains_domain_idx on tenancy.tenants_domains (domain) where verified_at is not null;
create index tenants_domains_added_by_idx on tenancy.tenants_domains (added_by);
create index tenants_domains_verified_by_idx on tenancy.tenants_domains (verified_by);

alter table tenancy.tenants_domains enable row level security;

comment on table tenancy.tenants_domains is
    'The e-mail domains and SSO providers whose users may join a tenant. Several tenants may have the same one.';
comment on column tenancy.tenants_domains.domain is
    'A domain in lower case, with IDNA A-labels and without a dot at the end; or sso: and the id of an SSO provider.';
comment on column tenancy.tenants_domains.access_level is 'The level that joining gives: read or write.';
comment on column tenancy.tenants_domains.challenge is
    'What the TXT record of the domain has to hold; null for an SSO provider.';
comment on column tenancy.tenants_domains.added_by is
    'User who added it; null if the service key did, or once that user is deleted.';
comment on column tenancy.tenants_domains.verified_by is
    'User who verified it; null if the service key did, or once that user is deleted.';
comment on column tenancy.tenants_domains.verified_at is 'When it was verified; null if nobody can join by it.';
