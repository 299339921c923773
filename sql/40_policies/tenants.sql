create policy select_member on public.tenants
    for select to authenticated
    using (
        status <> 'pooled'
        and (
            schema_name = any ((select tenancy.member_tenants())::text[])
            or (select tenancy.is_platform_staff())
        )
    );
