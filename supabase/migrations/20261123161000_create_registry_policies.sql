create policy select_admin on public.admin_audit_log
    for select to authenticated
    using (
        tenant_id = any ((select tenancy.administered_tenant_ids())::uuid[])
        or (select tenancy.is_platform_staff())
    );

create policy select_staff on public.admin_users
    for select to authenticated
    using (
        user_id = (select auth.uid())
        or (select tenancy.is_platform_staff())
    );

create policy select_member on public.tenants
    for select to authenticated
    using (
        schema_name = any ((select tenancy.member_tenants())::text[])
        or (select tenancy.is_platform_staff())
    );

create policy select_member on public.user_schema_access
    for select to authenticated
    using (
        user_id = (select auth.uid())
        or schema_name = any ((select tenancy.administered_tenants())::text[])
        or (select tenancy.is_platform_staff())
    );

select tenancy.make_append_only('public', 'admin_audit_log');
