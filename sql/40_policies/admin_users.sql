create policy select_staff on public.admin_users
    for select to authenticated
    using (
        user_id = (select (tenancy.caller()).user_id)
        or (select tenancy.is_platform_staff())
    );
