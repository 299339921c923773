create type tenancy.tenant_grant as (
    object_kind text,
    object_name text,
    grantee text,
    expected text,
    found text
);

comment on type tenancy.tenant_grant is 'What one role was to be able to do with one object, and can do.';
