create function public.request_access(schema_name text, message text default null)
    returns public.tenantry_access_request
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_tenant public.tenants;
    v_after tenancy.tenants_access_requests;
begin
    -- Before the locks, so that a stranger never waits for them and learns nothing from the wait.
    perform tenancy.require_requestable(schema_name);
    perform tenancy.require_text('message', message, 1000, has_lines => true);
    perform tenancy.lock_users(array[v_user_id]);
    v_tenant := tenancy.lock_tenant_row(schema_name);
    perform tenancy.require_requestable(schema_name);
    perform tenancy.require_no_request(schema_name);
    perform tenancy.require_below_request_limit(schema_name);

    delete from tenancy.tenants_access_requests r
    where r.schema_name = request_access.schema_name and r.ended_at <= statement_timestamp() - interval '7 days';
    insert into tenancy.tenants_access_requests (schema_name, user_id, message)
    values (schema_name, v_user_id, message)
    returning * into v_after;

    perform tenancy.log_action(
        'request.create', v_tenant, jsonb_build_object('after', to_jsonb(tenancy.shown_request(v_after)))
    );

    return tenancy.shown_request(v_after);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.request_access(text, text) is
    'Requests access to a tenant, and returns the request, which an admin of the tenant decides. '
    'The caller needs an e-mail address that Auth has confirmed. A user has one open request for a '
    'tenant. A refused request can be repeated after seven days. To everybody a tenant that takes '
    'no requests does not exist, and neither does a suspended one. '
    'Callers: user with a confirmed address. '
    'Errors: invalid_request, tenant_not_found, member_exists, request_exists, request_refused, '
    'request_limit, forbidden, not_authenticated, busy.';
