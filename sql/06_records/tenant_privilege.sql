create type tenancy.tenant_privilege as (
    object_kind text,
    object_name text,
    verbs text
);

comment on type tenancy.tenant_privilege is
    'What authenticated and service_role may do with one object, in the words of a GRANT.';
