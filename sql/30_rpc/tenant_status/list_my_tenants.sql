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
    'Lists the tenants to which the caller has access, by name, suspended tenants included. '
    'An expired grant is no access. The service key is a member of no tenant and gets an '
    'empty list. '
    'Callers: anyone signed in. '
    'Errors: not_authenticated, busy.';
