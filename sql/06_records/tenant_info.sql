create type public.tenant_info as (
    schema_name text,
    display_name text,
    status public.tenant_status,
    suspension_reason text,
    created_at timestamptz,
    access_level public.access_level,
    member_count bigint
);

comment on type public.tenant_info is 'Result of get_tenant_info.';
comment on column public.tenant_info.access_level is
    'The caller''s own level; null for platform staff without a grant.';
comment on column public.tenant_info.member_count is 'Number of users with an unexpired grant who are neither banned nor deleted in Auth.';
