create function tenancy.audit_retention_days()
    returns integer
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    -- A value that was replaced still applies for as many days as it says: whoever lowers the
    -- retention to remove entries has to wait until they would have been removable anyway. A day
    -- has 24 hours here, because calendar days depend on the time zone of the session.
    select coalesce(
        greatest(max(f.days), (select s.audit_retention_days from tenancy.platform_settings s)), 90
    )
    from (
        select r.days, lead(r.set_at) over (order by r.id) as ended_at from tenancy.retention_floors r
    ) f
    where f.ended_at is null or f.ended_at + f.days * interval '24 hours' > now();
$$;

comment on function tenancy.audit_retention_days() is
    'Number of days for which the audit logs keep their entries at present: the largest of platform_settings.audit_retention_days and of its earlier values that still apply.';
