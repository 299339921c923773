create function tenancy.require_past_retention(before timestamptz)
    returns void
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    language plpgsql
as $$
declare
    v_days constant integer := tenancy.audit_retention_days();
    v_allowed constant timestamptz := now() - v_days * interval '24 hours';
begin
    -- Null and a moment in the future come from mistakes, and the second would remove all entries.
    if before is null or before > now() then
        raise exception '"before" has to be a moment in the past.'
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was removed. Send the moment before which entries are to be removed, for example "2026-01-31T00:00:00Z".';
    end if;

    if before > v_allowed then
        raise exception 'The audit logs keep their entries for % days, so "before" can be at most "%".',
            v_days, to_char(v_allowed, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            using errcode = 'PT409', detail = 'retention_floor',
                hint = 'Nothing was removed. Send an earlier "before". The days are tenancy.platform_settings.audit_retention_days; a smaller number applies only when the days before it have passed.';
    end if;
end;
$$;

comment on function tenancy.require_past_retention(timestamptz) is
    'Refuses to remove entries younger than the retention of the audit logs (PT409 retention_floor, PT422 invalid_request).';
