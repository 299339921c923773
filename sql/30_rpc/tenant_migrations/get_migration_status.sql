create function public.get_migration_status()
    returns public.tenantry_tenant_migration_status
    stable
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
begin
    perform tenancy.require_platform_role('admin');

    return tenancy.migration_status();
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_migration_status() is
    'Returns the latest tenant migration, and the numbers of tenants that are up to date, that '
    'are behind, and that are stuck. '
    'A tenant is stuck if its next migration has failed; the result has the reasons of the '
    'first 20. It also names the tables of the template that no signed-in user can reach, and '
    'repeats what the registrations of pending migrations have warned of. '
    'Callers: platform admin. '
    'Errors: forbidden, not_authenticated, busy.';
