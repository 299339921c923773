create function tenancy.platform_role()
    returns tenancy.platform_role
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
begin
    -- The service key and the SQL editor have full access to the database anyway. They act
    -- as super_admin, which is also how the first super_admin is appointed.
    if v_caller.kind in ('service_role', 'postgres') then
        return 'super_admin';
    end if;

    return (select s.role from tenancy.current_staff s where s.user_id = v_caller.user_id);
end;
$$;

comment on function tenancy.platform_role() is
    'The caller''s platform role; null if the caller is not platform staff.';
