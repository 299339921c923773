create function public.replace_tenant_migration(version text, statements text)
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

    v_before := tenancy.replace_tenant_migration(version, statements);

    perform tenancy.log_action(
        'migration.replace', null,
        jsonb_build_object(
            'before', to_jsonb(v_before),
            'after', (select to_jsonb(m) from tenancy.tenant_migrations m where m.version = v_before.version)
        )
    );

    return tenancy.migration_status();
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.replace_tenant_migration(text, text) is
    'Replaces the text of a tenant migration for the tenants that lack it. '
    'The reference schema is built again, and tenants that were stuck at the migration are '
    'tried again by the next run. Tenants that have received the old text keep it. If they '
    'would differ from the template at their version, the new text is refused. The text runs '
    'with the rights of the owner of the database, as every tenant migration does. '
    'Callers: super_admin. '
    'Errors: migration_not_found, migration_received, migration_refused, invalid_request, forbidden, '
    'not_authenticated, busy.';
