create function tenancy.require_below_request_limit(schema_name text)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.caller()).user_id;
    v_day constant timestamptz := statement_timestamp() - interval '1 day';
    v_limits constant tenancy.platform_settings := (select s from tenancy.platform_settings s);
begin
    if (
            select count(*)
            from tenancy.tenants_access_requests r
            where r.schema_name = require_below_request_limit.schema_name and r.ended_at is null
        ) >= v_limits.max_open_requests
        or (
            select count(*)
            from tenancy.tenants_access_requests r
            where r.schema_name = require_below_request_limit.schema_name and r.created_at > v_day
        ) >= v_limits.max_daily_requests
    then
        raise exception 'Tenant "%" takes no more requests at present.', schema_name
            using errcode = 'PT409', detail = 'request_limit',
                hint = 'Try again tomorrow, or ask an admin of the tenant to invite you.';
    end if;

    -- In all tenants, withdrawn ones included.
    if (
        select count(*)
        from tenancy.tenants_access_requests r
        where r.user_id = v_user_id and r.created_at > v_day
    ) >= v_limits.max_daily_user_requests then
        raise exception 'You have requested access % times in 24 hours, which is the limit.',
            v_limits.max_daily_user_requests
            using errcode = 'PT409', detail = 'request_limit',
                hint = 'Try again tomorrow.';
    end if;
end;
$$;

comment on function tenancy.require_below_request_limit(text) is
    'Refuses another request for access if the tenant has as many open ones, or has got as many in 24 hours, as the platform allows, or if the caller has made as many (PT409 request_limit). Only under locks of the caller and of the tenant.';
