create function public.get_tenant_info(schema_name text)
    returns public.tenantry_tenant_info
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_permission(
        schema_name, platform => 'viewer', member => 'read', even_suspended => true
    );

    return (
        select row(
            t.schema_name, t.display_name, t.status, t.suspension_reason, t.created_at,
            tenancy.access_level(t.schema_name),
            g.roles, g.permissions,
            (
                select count(*)
                from public.user_schema_access a
                join tenancy.active_users u on u.id = a.user_id
                where a.schema_name = t.schema_name
                    and a.support_reason is null
                    and (a.expires_at is null or a.expires_at > statement_timestamp())
            )
        )::public.tenantry_tenant_info
        from public.tenants t
        left join public.user_schema_access g
            on g.schema_name = t.schema_name
            and g.user_id = (tenancy.caller()).user_id
            and (g.expires_at is null or g.expires_at > statement_timestamp())
        where t.schema_name = get_tenant_info.schema_name
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_tenant_info(text) is
    'Returns what members and the platform staff may know about a tenant, with the caller''s '
    'own access level, roles and permissions. '
    'Callers: member, member of a suspended tenant, platform viewer. '
    'Errors: tenant_not_found, not_authenticated, busy.';
