create type public.tenantry_email_refresh as (
    schema_name text,
    refreshed bigint
);

comment on type public.tenantry_email_refresh is
    'Result of refresh_user_emails: the number of profiles whose e-mail address was changed.';
