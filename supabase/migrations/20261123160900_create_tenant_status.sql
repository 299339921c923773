create function public.check_tenant_status(schema_name text)
    returns public.tenant_status_report
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_standing(
        schema_name, platform => 'viewer', member => 'read', even_suspended => true
    );

    return (
        select row(t.schema_name, t.status)::public.tenant_status_report
        from public.tenants t
        where t.schema_name = check_tenant_status.schema_name
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.check_tenant_status(text) is
    'Whether a tenant is active or suspended. Members, also of a suspended tenant, and platform staff. Errors: tenant_not_found, not_authenticated, busy.';

create function public.get_tenant_info(schema_name text)
    returns public.tenant_info
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_standing(
        schema_name, platform => 'viewer', member => 'read', even_suspended => true
    );

    return (
        select row(
            t.schema_name, t.display_name, t.status, t.suspension_reason, t.created_at,
            tenancy.access_level(t.schema_name),
            (
                select count(*)
                from public.user_schema_access a
                where a.schema_name = t.schema_name
                    and (a.expires_at is null or a.expires_at > statement_timestamp())
            )
        )::public.tenant_info
        from public.tenants t
        where t.schema_name = get_tenant_info.schema_name
    );
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_tenant_info(text) is
    'What a member or the platform staff may know of a tenant, suspended or not. Errors: tenant_not_found, not_authenticated, busy.';

create function public.list_my_tenants()
    returns setof public.tenant_membership
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller tenancy.caller;
begin
    v_caller := tenancy.require_signed_in();

    return query
    select t.schema_name, t.display_name, t.status, a.access_level
    from public.user_schema_access a
    join public.tenants t on t.schema_name = a.schema_name
    where a.user_id = v_caller.user_id
        and (a.expires_at is null or a.expires_at > statement_timestamp())
    order by t.schema_name;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_my_tenants() is
    'The tenants on which the caller holds an unexpired grant, by name. Anyone signed in; the service key is nobody''s member and gets none. Errors: not_authenticated, busy.';
