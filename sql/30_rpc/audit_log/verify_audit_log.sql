create function public.verify_audit_log(schema_name text default null, expected_head text default null)
    returns public.audit_verification
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
    'Whether the sealed entries of a log are what was sealed: names the first one changed, removed or inserted since. expected_head is a head that seal_audit_log once returned and that was kept elsewhere; without it, whoever can rewrite the whole chain as a superuser can hide. It cannot show changes made before sealing, nor find a head older than the last pruning. Admins of the tenant or of the platform; admin_audit_log platform admins. Errors: tenant_not_found, tenant_suspended, forbidden, not_authenticated, busy.';
