create function public.withdraw_tenant_migration(version text)
    returns public.tenantry_tenant_migration_status
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set quote_all_identifiers = off
    -- Longer than the role's own timeout, because the reference schema is built again.
    set statement_timeout = '300s'
    language plpgsql
as $$
declare
    v_before tenancy.tenant_migrations;
begin
    perform tenancy.require_platform_role('super_admin');

    v_before := tenancy.withdraw_tenant_migration(version);

    perform tenancy.log_action(
        'migration.withdraw', null,
        jsonb_build_object('before', to_jsonb(v_before))
    );

    return tenancy.migration_status();
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.withdraw_tenant_migration(text) is
    'Withdraws a tenant migration that no tenant has received. '
    'It is registered no more: no tenant receives it, and the reference schema is built again '
    'without it. Tenants that were stuck at it are no longer. '
    'Callers: super_admin. '
    'Errors: migration_not_found, migration_received, migration_refused, invalid_request, forbidden, '
    'not_authenticated, busy.';
