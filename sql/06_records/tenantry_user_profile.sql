create type public.tenantry_user_profile as (
    id uuid,
    email text,
    display_name text,
    role text,
    metadata jsonb,
    created_at timestamptz,
    updated_at timestamptz,
    is_active boolean
);

comment on type public.tenantry_user_profile is
    'A user''s profile in a tenant: the row of the tenant''s users table, and whether the user has access.';
comment on column public.tenantry_user_profile.is_active is
    'Whether the user holds an unexpired grant on the tenant now and is neither banned nor deleted in Auth. The value is computed and never stored.';
