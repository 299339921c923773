create function tenancy.require_platform_role(role tenancy.platform_role)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_role tenancy.platform_role;
begin
    perform tenancy.require_signed_in();
    v_role := tenancy.platform_role();

    if v_role >= require_platform_role.role then
        return;
    end if;

    perform tenancy.log_refusal('forbidden');
    raise exception 'This operation needs the platform role "%"; you have %.',
        require_platform_role.role, coalesce('"' || v_role || '"', 'none')
        using errcode = '42501', detail = 'forbidden',
            hint = 'Ask a super_admin of the platform.';
end;
$$;

comment on function tenancy.require_platform_role(tenancy.platform_role) is
    'Refuses a caller with less than this platform role (PT401 not_authenticated, 42501 forbidden).';
