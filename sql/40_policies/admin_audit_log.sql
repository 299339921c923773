create policy select_admin on public.admin_audit_log
    for select to authenticated
    using (
        tenant_id = any ((select tenancy.administered_tenant_ids())::uuid[])
        or (select tenancy.is_platform_staff())
    );
