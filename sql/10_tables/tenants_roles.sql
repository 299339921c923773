create table tenancy.tenants_roles (
    schema_name text not null,
    role_name text collate "C" not null,
    permissions text[] not null,
    description text,
    constraint tenants_roles_pkey primary key (schema_name, role_name),
    constraint tenants_roles_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade
);

-- declare_role looks up which tenants have a role of its name.
create index tenants_roles_role_name_idx on tenancy.tenants_roles (role_name);

alter table tenancy.tenants_roles enable row level security;

comment on table tenancy.tenants_roles is
    'The roles that tenants have defined for themselves, with define_role.';
comment on column tenancy.tenants_roles.permissions is 'Names of tenancy.permissions, sorted.';
