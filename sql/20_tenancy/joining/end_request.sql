create function tenancy.end_request(schema_name text, user_id uuid, is_refused boolean default false)
    returns public.tenantry_access_request
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_ended tenancy.tenants_access_requests;
begin
    update tenancy.tenants_access_requests r
    set ended_at = now(), is_refused = end_request.is_refused
    where r.schema_name = end_request.schema_name and r.user_id = end_request.user_id and r.ended_at is null
    returning * into v_ended;
    if v_ended.id is null then
        raise exception 'User % has no open request for access to tenant "%".', user_id, schema_name
            using errcode = 'PT404', detail = 'request_not_found',
                hint = 'Look at list_access_requests. Somebody else may have decided it, or the user has withdrawn it.';
    end if;

    return tenancy.shown_request(v_ended);
end;
$$;

comment on function tenancy.end_request(text, uuid, boolean) is
    'Ends a user''s open request for access to a tenant and returns it (PT404 request_not_found). Only under a lock of the tenant.';
