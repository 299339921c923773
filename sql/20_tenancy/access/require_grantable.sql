create function tenancy.require_grantable(
    schema_name text,
    user_id uuid,
    access_level tenancy.access_level,
    expires_at timestamptz
)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_own_expiry timestamptz;
    v_is_support_admin boolean;
begin
    if user_id = v_caller.user_id then
        perform tenancy.log_refusal('own_grant', schema_name);
        raise exception 'You cannot change your own access to a tenant.'
            using errcode = 'PT409', detail = 'own_grant',
                hint = 'Ask another admin of the tenant. To drop your own access, call leave_tenant. Platform staff look inside with open_support_access.';
    end if;

    perform tenancy.require_given_by_tenant(schema_name, user_id, access_level, expires_at, v_caller.user_id);

    select
        a.expires_at,
        a.support_reason is not null and a.access_level = 'admin' and a.expires_at > statement_timestamp()
    into v_own_expiry, v_is_support_admin
    from public.user_schema_access a
    where a.user_id = v_caller.user_id and a.schema_name = require_grantable.schema_name;

    -- Whoever administers by support access lets nobody in beyond its end.
    if tenancy.platform_role() >= 'admin' and v_is_support_admin is not true then
        return;
    end if;

    -- Otherwise an admin whose grant expires could keep access through a second account.
    if v_own_expiry is not null
        and (access_level = 'admin' or expires_at is null or expires_at > v_own_expiry)
    then
        perform tenancy.log_refusal('forbidden', schema_name);
        raise exception 'Your own access ends at %: you cannot grant "admin", or any access that ends later.',
            v_own_expiry
            using errcode = '42501', detail = 'forbidden',
                hint = 'Grant "read" or "write" with an expires_at up to that moment, or ask an admin whose access does not expire. Support access can be closed with close_support_access.';
    end if;
end;
$$;

comment on function tenancy.require_grantable(text, uuid, tenancy.access_level, timestamptz) is
    'Refuses a grant that the caller may not make: one to themselves, one to platform staff unless they administer the tenant, or one beyond the end of their own access. Platform admins without support access of the level admin may make any other grant (PT409 own_grant, 42501 forbidden).';
