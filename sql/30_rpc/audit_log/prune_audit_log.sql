create function public.prune_audit_log(schema_name text, before timestamptz)
    returns public.tenantry_audit_pruning
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_pruning public.tenantry_audit_pruning;
begin
    if schema_name is null then
        -- The platform's log says what its admins do.
        perform tenancy.require_platform_role('super_admin');
    else
        v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);
    end if;

    v_pruning := tenancy.prune_audit_log(coalesce(schema_name, 'public'), before);

    if v_pruning.removed > 0 then
        perform tenancy.log_action(
            'audit.prune', v_tenant,
            jsonb_build_object('log', v_pruning.schema_name, 'removed_before', before, 'removed', v_pruning.removed, 'head', v_pruning.head)
        );
    end if;

    return v_pruning;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.prune_audit_log(text, timestamptz) is
    'Removes the sealed entries of an audit log that are older than a moment. '
    'The log is the tenant''s, or with a null schema_name admin_audit_log, which only '
    'super_admins may prune. Entries younger than '
    'tenancy.platform_settings.audit_retention_days, 90 days unless changed, cannot be removed. '
    'Entries on access, on administrators and on the audit logs themselves (access.…, admin.…, '
    'support.…, audit.…, tenant.adopt, tenant.delete, tenant.restore) stay for good. The rest of the chain '
    'stays verifiable. The call is logged as audit.prune, with the number of removed entries and '
    'their head. '
    'Callers: platform admin. '
    'Errors: invalid_request, retention_floor, tenant_not_found, forbidden, not_authenticated, '
    'busy.';
