create function public.get_migration_status()
    returns public.tenant_migration_status
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_latest constant text := tenancy.latest_tenant_version();
    v_status public.tenant_migration_status;
begin
    perform tenancy.require_platform_role('admin');

    v_status.latest_version := v_latest;
    select count(*), count(*) filter (where t.schema_version = v_latest)
    into v_status.tenant_count, v_status.up_to_date
    from public.tenants t;
    v_status.behind := v_status.tenant_count - v_status.up_to_date;
    select count(*) into v_status.failed from tenancy.unfinished_migrations u;
    v_status.unreachable_tables := array(
        select u.table_name from tenancy.unreachable_tables('tenant_template') u
    );

    return v_status;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_migration_status() is
    'Returns the latest tenant migration, and the numbers of tenants that are up to date, that '
    'are behind, and whose next migration has failed. '
    'It also names the tables of the template that no signed-in user can reach. '
    'Callers: platform admin. '
    'Errors: forbidden, not_authenticated, busy.';
