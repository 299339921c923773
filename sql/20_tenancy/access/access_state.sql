-- Both layers that check access to rows use this function: the policies through has_access,
-- and the guard through require_access, which also reports the reason to the caller.
create function tenancy.access_state(schema_name text, level public.access_level)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_status public.tenant_status;
    v_access public.access_level;
    v_expires_at timestamptz;
begin
    select t.status, a.access_level, a.expires_at
    into v_status, v_access, v_expires_at
    from public.tenants t
    left join public.user_schema_access a
        on a.schema_name = t.schema_name and a.user_id = v_caller.user_id
    where t.schema_name = access_state.schema_name;

    if not found then
        return 'no_tenant';
    end if;

    if v_caller.kind = 'nobody' then
        return 'nobody';
    end if;

    if v_caller.kind = 'user' then
        if v_access is null then
            return 'stranger';
        end if;
        if v_expires_at <= statement_timestamp() then
            return 'expired';
        end if;
    end if;

    -- After the check for strangers: only members may learn that a tenant is suspended.
    if v_status <> 'active' then
        return 'suspended';
    end if;

    if v_caller.kind = 'user' and v_access < level then
        return 'insufficient';
    end if;

    return 'granted';
end;
$$;

comment on function tenancy.access_state(text, public.access_level) is
    'The caller''s access to a tenant''s rows at a level: granted, or the first reason to refuse it (no_tenant, nobody, stranger, expired, suspended, insufficient).';
