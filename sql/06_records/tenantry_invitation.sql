create type public.tenantry_invitation as (
    id uuid,
    schema_name text,
    email text,
    access_level tenancy.access_level,
    roles text[],
    expires_at timestamptz,
    invited_by uuid,
    created_at timestamptz,
    valid_until timestamptz
);

comment on type public.tenantry_invitation is
    'An invitation to a tenant, without its secret.';
comment on column public.tenantry_invitation.expires_at is
    'When the access ends that the invitation gives; null means that it lasts until it is revoked.';
comment on column public.tenantry_invitation.valid_until is 'Until when the invitation can be accepted.';
