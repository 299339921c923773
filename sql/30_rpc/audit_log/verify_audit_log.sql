create function public.verify_audit_log(schema_name text default null, expected_head text default null)
    returns public.tenantry_audit_verification
    stable
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
begin
    if schema_name is null then
        perform tenancy.require_platform_role('admin');
    else
        perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');
    end if;

    return tenancy.verify_audit_log(coalesce(schema_name, 'public'), expected_head);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.verify_audit_log(text, text) is
    'Checks that the sealed entries of an audit log are still the entries that were sealed. '
    'The reply names the first entry that was changed, removed or inserted since. It also says '
    'how many entries are not sealed yet and since when: these are not checked. The log is '
    'the tenant''s, or without schema_name admin_audit_log, which only platform admins may '
    'verify. expected_head is a head that seal_audit_log returned and that was kept '
    'elsewhere: without it, nobody detects a superuser who rewrites the whole chain. A head '
    'from before a pruning vouches for those of its entries that remain. pruned and prunings '
    'say how many entries were removed, when and by whom. Changes made before sealing cannot '
    'be detected. '
    'Callers: tenant admin, platform admin. '
    'Errors: tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
