create function public.redact_audit_log(schema_name text, user_id uuid)
    returns public.tenantry_audit_redaction
    volatile
    security definer
    set search_path = ''
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_redaction public.tenantry_audit_redaction;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);
    perform tenancy.require_argument('user_id', user_id::text);

    v_redaction := tenancy.redact_audit_log(schema_name, user_id);

    if v_redaction.redacted > 0 then
        perform tenancy.log_action('audit.redact', v_tenant, to_jsonb(v_redaction));
    end if;

    return v_redaction;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.redact_audit_log(text, uuid) is
    'Removes the values of a person''s profile from a tenant''s sealed audit log, at that '
    'person''s request. '
    'The values are the e-mail address, names and metadata; admin_audit_log never contains '
    'them. The entries still say what happened, when and by whom, and the chain stays '
    'verifiable. Entries that are not sealed yet are left for the next call. An entry that the '
    'caller wrote keeps its values while it is younger than '
    'tenancy.platform_settings.audit_retention_days: withheld counts these, and another admin '
    'can redact them. The call is logged as audit.redact. '
    'Callers: platform admin. '
    'Errors: invalid_request, tenant_not_found, forbidden, not_authenticated, busy.';
