create function public.withdraw_request(schema_name text)
    returns public.tenantry_access_request
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.require_signed_in()).user_id;
    v_tenant public.tenants;
    v_before public.tenantry_access_request;
begin
    -- Nobody without a request waits for a lock.
    if not exists (
        select
        from tenancy.tenants_access_requests r
        where r.schema_name = withdraw_request.schema_name and r.user_id = v_user_id and r.ended_at is null
    ) then
        perform tenancy.log_refusal('request_not_found', schema_name);
        raise exception 'You have no open request for access to a tenant of this name.'
            using errcode = 'PT404', detail = 'request_not_found',
                hint = 'There is nothing to withdraw.';
    end if;
    v_tenant := tenancy.lock_tenant_row(schema_name);
    v_before := tenancy.end_request(schema_name, v_user_id);

    perform tenancy.log_action(
        'request.withdraw', v_tenant, jsonb_build_object('before', to_jsonb(v_before))
    );

    return v_before;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.withdraw_request(text) is
    'Withdraws the caller''s own open request for access to a tenant, and returns it. '
    'The caller may request access again at once, within the limits. The reply is the same for a '
    'tenant that does not exist as for one without a request of the caller. '
    'Callers: anyone signed in. '
    'Errors: request_not_found, not_authenticated, busy.';
