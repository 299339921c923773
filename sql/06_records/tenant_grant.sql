create type tenancy.tenant_grant as (
    object_kind text,
    object_name text,
    grantee text,
    expected text,
    found text
);

comment on type tenancy.tenant_grant is
    'The privileges that one role should have on one object, and the privileges that it has.';
