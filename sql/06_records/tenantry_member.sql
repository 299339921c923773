create type public.tenantry_member as (
    user_id uuid,
    email text,
    display_name text,
    access_level tenancy.access_level,
    roles text[],
    granted_at timestamptz,
    granted_by uuid,
    granted_by_email text,
    expires_at timestamptz,
    support_reason text,
    last_sign_in_at timestamptz,
    is_active boolean,
    cursor text,
    total_count bigint
);

comment on type public.tenantry_member is 'One member of a tenant, as list_members returns it.';
comment on column public.tenantry_member.email is
    'The address that Auth has. Of a member whose access has expired, it is the one in the tenant''s profile, if there is a profile.';
comment on column public.tenantry_member.display_name is
    'The display name in the tenant''s profile. Null without a profile, and to callers who may not read the rows of the tenant.';
comment on column public.tenantry_member.support_reason is
    'Why a member of the platform''s staff opened support access; null for members.';
comment on column public.tenantry_member.last_sign_in_at is
    'When Auth last signed the user in; null if never, or if the access has expired.';
comment on column public.tenantry_member.is_active is
    'Whether the access is unexpired and the user is neither banned nor deleted in Auth.';
comment on column public.tenantry_member.cursor is
    'The place of the row in this order. For the page behind it, give it as after.';
comment on column public.tenantry_member.total_count is
    'Number of members that match. Only on the first page; null on the others.';
