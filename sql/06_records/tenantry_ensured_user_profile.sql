create type public.tenantry_ensured_user_profile as (
    id uuid,
    email text,
    display_name text,
    role text,
    metadata jsonb,
    created_at timestamptz,
    updated_at timestamptz,
    is_active boolean,
    is_new boolean
);

comment on type public.tenantry_ensured_user_profile is
    'The caller''s profile, and whether this call created it.';
