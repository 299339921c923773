create function tenancy.require_promotable(role tenancy.platform_role, expires_at timestamptz)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_own_expiry timestamptz;
begin
    perform tenancy.require_argument('role', role::text);
    if expires_at <= statement_timestamp() or expires_at = 'infinity' then
        raise exception '"expires_at" is no moment in the future.'
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Send a later moment, or leave it out. To end a role now, call revoke_admin.';
    end if;

    select s.expires_at into v_own_expiry
    from tenancy.current_staff s
    where s.user_id = (tenancy.caller()).user_id;

    -- Otherwise a super_admin whose role expires could keep it, or have it in a second account.
    if v_own_expiry is not null
        and (role = 'super_admin' or expires_at is null or expires_at > v_own_expiry)
    then
        perform tenancy.log_refusal('forbidden');
        raise exception 'Your own role ends at %: you cannot give the role "super_admin", or any role that ends later.',
            v_own_expiry
            using errcode = '42501', detail = 'forbidden',
                hint = 'Give "viewer" or "admin" with an expires_at up to that moment, or ask a super_admin whose role does not expire.';
    end if;
end;
$$;

comment on function tenancy.require_promotable(tenancy.platform_role, timestamptz) is
    'Refuses a platform role that ends in the past, and one that the caller may not give because their own role expires (PT422 invalid_request, 42501 forbidden). It does not ask for the caller''s role.';
