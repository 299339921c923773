create type public.tenantry_access_request as (
    id uuid,
    schema_name text,
    user_id uuid,
    email text,
    provider text,
    message text,
    created_at timestamptz
);

comment on type public.tenantry_access_request is
    'A user''s request for access to a tenant, as far as it is undecided.';
comment on column public.tenantry_access_request.email is 'The address that Auth has confirmed.';
comment on column public.tenantry_access_request.provider is
    'By which provider the user signs in, as Auth names it, such as email, or sso: and an id. An SSO provider may assert any address.';
