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
begin
    if tenancy.platform_role() >= 'admin' then
        return;
    end if;

    if user_id = v_caller.user_id then
        perform tenancy.log_refusal('own_grant', schema_name);
        raise exception 'You cannot change your own access to a tenant.'
            using errcode = 'PT409', detail = 'own_grant',
                hint = 'Ask another admin of the tenant. To drop your own access, call leave_tenant.';
    end if;

    select a.expires_at into v_own_expiry
    from public.user_schema_access a
    where a.user_id = v_caller.user_id and a.schema_name = require_grantable.schema_name;

    -- Otherwise an admin whose grant expires could keep access through a second account.
    if v_own_expiry is not null
        and (access_level = 'admin' or expires_at is null or expires_at > v_own_expiry)
    then
        perform tenancy.log_refusal('forbidden', schema_name);
        raise exception 'Your own access ends at %: you cannot grant "admin", or any access that ends later.',
            v_own_expiry
            using errcode = '42501', detail = 'forbidden',
                hint = 'Grant "read" or "write" with an expires_at up to that moment, or ask an admin whose access does not expire.';
    end if;
end;
$$;

comment on function tenancy.require_grantable(text, uuid, tenancy.access_level, timestamptz) is
    'Refuses a grant that an admin of a tenant may not make: one to themselves, or one beyond the end of their own access. Platform admins may make any grant (PT409 own_grant, 42501 forbidden).';
