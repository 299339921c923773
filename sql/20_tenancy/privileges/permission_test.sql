create function tenancy.permission_test(schema_name text, permission text)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permissions(array[permission]);
    -- An uncorrelated subselect, as in policy_test.
    return format(
        'exists (select from tenancy.open_tenants o where o.schema_name = %L and (o.access_level >= ''admin'' or %L = any (o.permissions)))',
        schema_name, permission
    );
end;
$$;

comment on function tenancy.permission_test(text, text) is
    'The condition of a policy that lets in who has a declared permission, as SQL: admins of the tenant, and members with a role that gives it (PT404 permission_not_found).';
