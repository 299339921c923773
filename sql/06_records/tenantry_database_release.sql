create type public.tenantry_database_release as (
    release text
);

comment on type public.tenantry_database_release is 'Result of get_database_release.';
