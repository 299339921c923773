create type public.tenantry_new_invitation as (
    id uuid,
    schema_name text,
    email text,
    access_level tenancy.access_level,
    roles text[],
    expires_at timestamptz,
    invited_by uuid,
    created_at timestamptz,
    valid_until timestamptz,
    secret text
);

comment on type public.tenantry_new_invitation is
    'An invitation as invite_member returns it, with the secret for the invited person.';
comment on column public.tenantry_new_invitation.secret is
    'What accepts or declines the invitation. It is shown this once; only its hash is stored.';
