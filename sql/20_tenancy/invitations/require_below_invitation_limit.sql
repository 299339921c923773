create function tenancy.require_below_invitation_limit(schema_name text)
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
        from tenancy.open_invitations i
        where i.schema_name = require_below_invitation_limit.schema_name
    ) >= v_limits.max_open_invitations then
        raise exception 'Tenant "%" has % open invitations, which is the limit.',
            schema_name, v_limits.max_open_invitations
            using errcode = 'PT409', detail = 'invitation_limit',
                hint = 'Revoke one that is no longer needed, or ask the platform''s staff for a higher limit.';
    end if;

    if (
        select count(*)
        from tenancy.tenants_invitations i
        where i.schema_name = require_below_invitation_limit.schema_name and i.created_at > v_day
    ) >= v_limits.max_daily_invitations then
        raise exception 'Tenant "%" has made % invitations in 24 hours, which is the limit.',
            schema_name, v_limits.max_daily_invitations
            using errcode = 'PT409', detail = 'invitation_limit',
                hint = 'Try again tomorrow, or ask the platform''s staff for a higher limit.';
    end if;

    -- In all tenants: a person may administer many.
    if (
        select count(*)
        from tenancy.tenants_invitations i
        where i.invited_by = v_user_id and i.created_at > v_day
    ) >= v_limits.max_daily_invitations then
        raise exception 'You have made % invitations in 24 hours, which is the limit.',
            v_limits.max_daily_invitations
            using errcode = 'PT409', detail = 'invitation_limit',
                hint = 'Try again tomorrow, or ask the platform''s staff for a higher limit.';
    end if;
end;
$$;

comment on function tenancy.require_below_invitation_limit(text) is
    'Refuses another invitation if the tenant has as many open ones as the platform allows, or if the tenant or the caller has made as many in 24 hours (PT409 invitation_limit). Only under a lock of the tenant.';
