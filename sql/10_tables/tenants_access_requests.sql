create table tenancy.tenants_access_requests (
    id uuid not null default gen_random_uuid(),
    schema_name text not null,
    user_id uuid not null,
    message text,
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    is_refused boolean not null default false,
    constraint tenants_access_requests_pkey primary key (id),
    constraint tenants_access_requests_refused_has_ended check (ended_at is not null or not is_refused),
    constraint tenants_access_requests_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade,
    constraint tenants_access_requests_user_id_fkey foreign key (user_id)
        references auth.users (id) on delete cascade
);

-- One open request of a user.
create unique index tenants_access_requests_open_key on tenancy.tenants_access_requests (schema_name, user_id)
    where ended_at is null;
-- list_access_requests reads the open ones in this order. Those of the last days are counted.
create index tenants_access_requests_schema_name_idx
    on tenancy.tenants_access_requests (schema_name, created_at, id);
create index tenants_access_requests_user_id_idx on tenancy.tenants_access_requests (user_id, created_at);

alter table tenancy.tenants_access_requests enable row level security;

comment on table tenancy.tenants_access_requests is
    'The requests for access to tenants. A row that has ended is kept for a week: a refused request cannot be repeated before, and the requests of a day are counted.';
comment on column tenancy.tenants_access_requests.ended_at is
    'When the request was approved, refused or withdrawn. admin_audit_log says which.';
