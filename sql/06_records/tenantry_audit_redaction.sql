create type public.tenantry_audit_redaction as (
    schema_name text,
    user_id uuid,
    redacted bigint,
    withheld bigint
);

comment on type public.tenantry_audit_redaction is
    'Result of redact_audit_log: the number of entries whose values were removed.';
comment on column public.tenantry_audit_redaction.withheld is
    'Number of sealed entries about the person that keep their values, because the caller wrote them and they are younger than the retention of the audit logs. Another admin can redact them.';
