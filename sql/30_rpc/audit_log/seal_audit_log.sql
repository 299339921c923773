create function public.seal_audit_log(schema_name text default null)
    returns public.tenantry_audit_seal
    volatile
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
begin
    if schema_name is null then
        perform tenancy.require_platform_role('admin');
    else
        perform tenancy.require_permission(schema_name, platform => 'admin', member => null);
    end if;

    return tenancy.seal_audit_log(coalesce(schema_name, 'public'));
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.seal_audit_log(text) is
    'Seals the new entries of an audit log into its hash chain and returns the head of the '
    'chain. '
    'The log is the tenant''s, or without schema_name admin_audit_log. Call this on a schedule '
    'and keep the head outside the database, for verify_audit_log. Writers never wait for it. '
    'Entries of transactions that are still running, or that began after the oldest running '
    'one, wait for the next call. A call ends after 20 seconds, so repeat it until sealed_now is 0. '
    'Callers: platform admin. '
    'Errors: tenant_not_found, forbidden, not_authenticated, busy.';
