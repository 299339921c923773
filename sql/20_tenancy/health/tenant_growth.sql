-- From the registry and from the entries of the deletions, which no pruning removes. Both are
-- few: the log has an index of these entries alone.
create function tenancy.tenant_growth(days integer)
    returns jsonb
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    language plpgsql
as $$
begin
    return (
        with lives as (
            select t.created_at::date as created, null::date as deleted
            from tenancy.listed_tenants t
            union all
            select (l.details -> 'before' ->> 'created_at')::timestamptz::date, l.occurred_at::date
            from public.admin_audit_log l
            where l.action = 'tenant.delete' and l.details -> 'before' ->> 'status' <> 'pooled'
        ),
        changes as (
            select c.day, sum(c.created) as created, sum(c.deleted) as deleted
            from (
                select l.created as day, 1 as created, 0 as deleted from lives l
                union all
                select l.deleted, 0, 1 from lives l where l.deleted is not null
            ) c
            group by c.day
        ),
        calendar as (
            select current_date - i.ago as day from generate_series(0, days - 1) i (ago)
        )
        select jsonb_agg(
            jsonb_build_object(
                'day', d.day,
                'tenants', d.tenants,
                'created', d.created,
                'deleted', d.deleted
            )
            order by d.day
        )
        from (
            select c.day,
                coalesce(h.created, 0) as created,
                coalesce(h.deleted, 0) as deleted,
                coalesce(
                    (
                        select sum(b.created - b.deleted)
                        from changes b
                        where b.day < current_date - days + 1
                    ),
                    0
                ) + sum(coalesce(h.created - h.deleted, 0)) over (order by c.day) as tenants
            from calendar c
            left join changes h on h.day = c.day
        ) d
    );
end;
$$;

comment on function tenancy.tenant_growth(integer) is
    'The number of tenants at the end of each of the last days (UTC), today included, and how many were created and deleted on it.';
