create table tenancy.tenants_open_to_requests (
    schema_name text not null,
    created_at timestamptz not null default now(),
    constraint tenants_open_to_requests_pkey primary key (schema_name),
    constraint tenants_open_to_requests_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade
);

alter table tenancy.tenants_open_to_requests enable row level security;

comment on table tenancy.tenants_open_to_requests is
    'The tenants whose admins let users request access. To strangers every other tenant is missing.';
