create type public.user_profile as (
    id uuid,
    email text,
    display_name text,
    role text,
    metadata jsonb,
    created_at timestamptz,
    updated_at timestamptz,
    is_active boolean
);

comment on type public.user_profile is
    'A row of a tenant''s users table, with what the registry knows of it.';
comment on column public.user_profile.is_active is
    'Whether the user holds an unexpired grant on the tenant now. Computed, never stored: it follows the deletion of a user by itself.';
