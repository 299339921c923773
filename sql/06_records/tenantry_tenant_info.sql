create type public.tenantry_tenant_info as (
    schema_name text,
    display_name text,
    status tenancy.tenant_status,
    suspension_reason text,
    created_at timestamptz,
    access_level tenancy.access_level,
    roles text[],
    permissions text[],
    member_count bigint
);

comment on type public.tenantry_tenant_info is 'Result of get_tenant_info.';
comment on column public.tenantry_tenant_info.access_level is
    'The caller''s own level; null for platform staff without a grant.';
comment on column public.tenantry_tenant_info.roles is
    'The caller''s own roles; null for platform staff without a grant.';
comment on column public.tenantry_tenant_info.permissions is
    'What the caller''s own roles give. The level admin has every permission without a role.';
comment on column public.tenantry_tenant_info.member_count is 'Number of members: users with an unexpired grant, support access not included, who are neither banned nor deleted in Auth.';
