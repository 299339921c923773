create type public.tenantry_role as (
    role_name text,
    permissions text[],
    description text,
    is_template boolean
);

comment on type public.tenantry_role is 'A role that grants in a tenant may carry.';
comment on column public.tenantry_role.permissions is 'The permissions that the role gives, by name.';
comment on column public.tenantry_role.is_template is
    'Whether every tenant has the role. Only migrations of the project change such a role.';
