create function public.list_tenants(
    search text default null,
    status tenancy.tenant_status default null,
    sort text default 'schema_name',
    page_size integer default 50,
    after text default null
)
    returns setof public.tenantry_listed_tenant
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_after tenancy.list_place;
    v_total bigint;
    v_places tenancy.list_place[];
begin
    perform tenancy.require_platform_role('viewer');
    perform tenancy.require_text('search', search, 200);
    perform tenancy.require_page_size(page_size);
    v_after := tenancy.require_list_place(
        sort, after,
        array[
            'schema_name', 'display_name', 'created_at', 'status', 'schema_version', 'bytes', 'last_activity_at'
        ]
    );

    if v_after.key is null then
        select count(*) into v_total
        from tenancy.listed_tenants t
        where (list_tenants.status is null or t.status = list_tenants.status)
            and (
                list_tenants.search is null
                or tenancy.is_found(list_tenants.search, t.schema_name, t.display_name)
            );
    end if;

    v_places := array(
        select p from tenancy.tenant_places(search, list_tenants.status, v_after, page_size) p
    );

    -- `offset 0` keeps PostgreSQL from reading all tenants for the few of the page.
    return query
    select t.schema_name, t.display_name, t.status, t.schema_version,
        -- The size by which the page is sorted, if it is.
        case
            when v_after.column_name = 'bytes' then v_places[i.place].number::bigint
            else tenancy.schema_bytes(t.schema_name)
        end,
        a.last_activity_at, t.created_at, tenancy.list_cursor(v_places[i.place]), v_total
    from generate_subscripts(v_places, 1) i (place)
    cross join lateral (
        select * from tenancy.listed_tenants l where l.schema_name = v_places[i.place].key offset 0
    ) t
    left join lateral (
        select n.last_activity_at
        from tenancy.tenant_activity n
        where n.schema_name = t.schema_name and n.last_activity_at >= t.created_at
        offset 0
    ) a on true
    order by i.place;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_tenants(text, tenancy.tenant_status, text, integer, text) is
    'Lists tenants, one page at a time. '
    'search finds tenants whose schema name or display name contains this text, in upper or lower '
    'case; no character of it is a wildcard. sort is schema_name, display_name, created_at, status, '
    'schema_version (the order in which the versions were registered), bytes or last_activity_at '
    '(never is earliest), alone or with .asc or .desc behind it; tenants with the same value are '
    'in the order of their names. bytes is the size on disk as of the last VACUUM or ANALYZE of '
    'each table. last_activity_at is when a user or the service key last changed an audited row '
    'or called ensure_user_profile, to within five minutes; it is null if that has never '
    'happened. A page has up to page_size tenants, from 1 to 1,000; a page that is not full is '
    'the last one. For the next page, give the cursor of the last tenant of this page as after, '
    'with the same search, status and sort. Every tenant that does not change meanwhile is on exactly '
    'one page. total_count is the number of tenants that match, on the first page alone. '
    'Callers: platform viewer. '
    'Errors: invalid_request, forbidden, not_authenticated, busy.';
