create function tenancy.has_permission(schema_name text, permission text)
    returns boolean
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return exists (
            select from tenancy.permissions p where p.permission = has_permission.permission
        )
        and (
            exists (
                select
                from tenancy.open_tenants o
                where o.schema_name = has_permission.schema_name
                    and (o.access_level = 'admin' or has_permission.permission = any (o.permissions))
            )
            or (
                (tenancy.caller()).kind in ('service_role', 'postgres')
                and exists (
                    select from public.tenants t
                    where t.schema_name = has_permission.schema_name and t.status = 'active'
                )
            )
        );
end;
$$;

comment on function tenancy.has_permission(text, text) is
    'Whether the caller has a declared permission in an active tenant: by an unexpired grant with a role that gives it or with the level admin, or as the service key or the owner. For routines. A policy asks permission_test, which costs less.';
