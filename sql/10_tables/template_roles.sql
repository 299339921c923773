create table tenancy.template_roles (
    role_name text collate "C" not null,
    permissions text[] not null,
    description text,
    declared_at timestamptz not null default now(),
    constraint template_roles_pkey primary key (role_name)
);

alter table tenancy.template_roles enable row level security;

comment on table tenancy.template_roles is
    'The roles that every tenant has. declare_role writes them, in migrations of the project.';
comment on column tenancy.template_roles.permissions is 'Names of tenancy.permissions, sorted.';
