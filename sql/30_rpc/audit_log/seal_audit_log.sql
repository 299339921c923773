create function public.seal_audit_log(schema_name text default null)
    returns public.audit_seal
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
    'Seals the entries of a tenant''s audit log, or without a name of admin_audit_log, into a hash chain and returns its head: keep it outside the database, for verify_audit_log. To be called on a schedule; writers never wait for it. Entries of transactions still running, or begun before one still running, wait for the next call. Platform admins. Errors: tenant_not_found, forbidden, not_authenticated, busy.';
