create function public.list_tenants_behind(
    after_schema_name text default null,
    page_size integer default 100
)
    returns setof public.tenant_behind
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_latest constant text := tenancy.latest_tenant_version();
begin
    perform tenancy.require_platform_role('admin');
    perform tenancy.require_page_size(page_size);

    return query
    select t.schema_name, t.schema_version, (tenancy.next_migration(t.schema_version)).version,
        tenancy.pending_migrations(t.schema_version), u.sqlstate, u.message, u.failed_at
    from (
        select b.schema_name, b.schema_version
        from public.tenants b
        where b.schema_version < v_latest
            and (after_schema_name is null or b.schema_name > after_schema_name)
        order by b.schema_name
        limit page_size
    ) t
    left join tenancy.unfinished_migrations u on u.schema_name = t.schema_name
    order by t.schema_name;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_tenants_behind(text, integer) is
    'Tenants that lack tenant migrations, by name, with the reason if the next one has failed; for the next page give the last name as after_schema_name. 1 to 1,000 a page. Platform admins. Errors: invalid_request, forbidden, not_authenticated, busy.';
