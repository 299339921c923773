create type public.tenant_behind as (
    schema_name text,
    schema_version text,
    next_version text,
    pending integer,
    sqlstate text,
    message text,
    failed_at timestamptz
);

comment on type public.tenant_behind is
    'A tenant that lacks tenant migrations, and the error if the next one has failed.';
