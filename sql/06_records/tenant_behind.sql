create type public.tenant_behind as (
    schema_name text,
    schema_version text,
    next_version text,
    pending integer,
    sqlstate text,
    message text,
    failed_at timestamptz,
    has_more boolean
);

comment on type public.tenant_behind is
    'A tenant that lacks tenant migrations, and the error if the next one has failed.';
comment on column public.tenant_behind.has_more is
    'Whether another tenant follows. Of the last tenant of a page: whether there is a next page.';
