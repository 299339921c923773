create function public.list_tenants_behind(
    after_schema_name text default null,
    page_size integer default 100
)
    returns setof public.tenantry_tenant_behind
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_platform_role('admin');
    perform tenancy.require_page_size(page_size);

    return query
    with versions as materialized (
        select m.version,
            lead(m.version) over (order by m.position) as next_version,
            count(*) over (order by m.position desc)::integer - 1 as pending
        from tenancy.tenant_migrations m
    )
    select p.schema_name, p.version, p.next_version, p.pending, p.is_pooled, p.sqlstate, p.message, p.stuck_since,
        p.failed_at, p.has_more
    from (
        select t.schema_name, v.version, v.next_version, v.pending, t.is_pooled,
            u.sqlstate, u.message, u.stuck_since, u.failed_at,
            lead(true, 1, false) over by_name as has_more,
            row_number() over by_name as place,
            sum(500 + coalesce(octet_length(to_json(u.message)::text), 0)) over by_name as bytes
        from versions v
        -- Bounds and order are those of tenants_schema_version_idx, once for each older version.
        -- With `schema_version = …` the planner may prefer another index, because statistics from
        -- a time when all tenants had one version say that the condition excludes no row.
        cross join lateral (
            select b.schema_name, b.status = 'pooled' as is_pooled
            from public.tenants b
            where (b.schema_version, b.schema_name) > (v.version, coalesce(after_schema_name, ''))
                and b.schema_version <= v.version
            order by b.schema_version, b.schema_name
            limit page_size + 1
        ) t
        left join tenancy.unfinished_migrations u on u.schema_name = t.schema_name
        where v.pending > 0
        window by_name as (order by t.schema_name)
        order by t.schema_name
        limit page_size + 1
    ) p
    where not tenancy.is_page_full(page_size, p.place::integer - 1, p.bytes)
    order by p.schema_name;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_tenants_behind(text, integer) is
    'Lists the tenants that lack tenant migrations, by name, one page at a time, those of the pool included. '
    'A tenant whose next migration has failed is stuck: its row has the reason, and since when. A page has up to '
    'page_size tenants, from 1 to 1,000, and fewer if they are more than 4 MB. has_more of the '
    'last tenant says whether there is a next page: give its name as after_schema_name. '
    'Callers: platform admin. '
    'Errors: invalid_request, forbidden, not_authenticated, busy.';
