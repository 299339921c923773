create policy select_member on public.user_schema_access
    for select to authenticated
    using (
        user_id = (select (tenancy.caller()).user_id)
        or schema_name = any ((select tenancy.administered_tenants())::text[])
        or (select tenancy.is_platform_staff())
    );
