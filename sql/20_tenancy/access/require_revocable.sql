create function tenancy.require_revocable(schema_name text, user_id uuid)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_own_expiry timestamptz;
    v_expiry timestamptz;
begin
    if user_id = v_user_id or tenancy.platform_role() >= 'admin' then
        return;
    end if;

    select a.expires_at into v_own_expiry
    from public.user_schema_access a
    where a.user_id = v_user_id and a.schema_name = require_revocable.schema_name;

    select coalesce(a.expires_at, 'infinity') into v_expiry
    from public.user_schema_access a
    where a.user_id = require_revocable.user_id
        and a.schema_name = require_revocable.schema_name
        and a.support_reason is null;

    -- Such an admin could not give the access back, and could leave the tenant without an admin.
    if v_expiry > v_own_expiry then
        perform tenancy.log_refusal('forbidden', schema_name);
        raise exception 'Your own access ends at %: you cannot change or take away access that ends later.',
            v_own_expiry
            using errcode = '42501', detail = 'forbidden',
                hint = 'Ask an admin whose access does not expire.';
    end if;
end;
$$;

comment on function tenancy.require_revocable(text, uuid) is
    'Refuses to let an admin of a tenant whose own access expires change or take away a grant that ends later or never, unless it is support access. Everybody may drop their own grant, and platform admins may change any (42501 forbidden).';
