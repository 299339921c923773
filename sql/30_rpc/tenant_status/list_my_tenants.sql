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
