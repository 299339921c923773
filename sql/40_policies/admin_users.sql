create policy select_staff on public.admin_users
    for select to authenticated
    using ((select tenancy.is_platform_staff()));
