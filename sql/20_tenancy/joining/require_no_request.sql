create function tenancy.require_no_request(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_refused_at timestamptz;
begin
    if exists (
        select
        from tenancy.tenants_access_requests r
        where r.schema_name = require_no_request.schema_name and r.user_id = v_user_id and r.ended_at is null
    ) then
        raise exception 'You have requested access to tenant "%" already.', schema_name
            using errcode = 'PT409', detail = 'request_exists',
                hint = 'Nothing was changed. Wait for the answer, or call withdraw_request.';
    end if;

    select max(r.ended_at) into v_refused_at
    from tenancy.tenants_access_requests r
    where r.schema_name = require_no_request.schema_name
        and r.user_id = v_user_id
        and r.is_refused
        and r.ended_at > statement_timestamp() - interval '7 days';
    if v_refused_at is not null then
        raise exception 'Your request for access to tenant "%" was refused at %.', schema_name, v_refused_at
            using errcode = 'PT409', detail = 'request_refused',
                hint = 'You can repeat it seven days after that.';
    end if;
end;
$$;

comment on function tenancy.require_no_request(text) is
    'Refuses a caller whose request for access to this tenant is open, or was refused in the last seven days (PT409: request_exists, request_refused). Only under a lock of the tenant.';
