create type public.tenantry_staff_member as (
    user_id uuid,
    email text,
    role tenancy.platform_role,
    granted_by uuid,
    created_at timestamptz,
    expires_at timestamptz,
    last_sign_in_at timestamptz,
    is_active boolean,
    cursor text,
    total_count bigint
);

comment on type public.tenantry_staff_member is
    'One member of the platform''s staff, as list_staff returns it.';
comment on column public.tenantry_staff_member.expires_at is
    'The role is valid until this moment; null means until it is revoked.';
comment on column public.tenantry_staff_member.last_sign_in_at is
    'When Auth last signed the user in; null if never.';
comment on column public.tenantry_staff_member.is_active is
    'Whether the role is unexpired and the user is neither banned nor deleted in Auth.';
comment on column public.tenantry_staff_member.cursor is
    'The place of the row in this list. For the page behind it, give it as after.';
comment on column public.tenantry_staff_member.total_count is
    'Number of people who match. Only on the first page; null on the others.';
