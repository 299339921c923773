create type public.audit_redaction as (
    schema_name text,
    user_id uuid,
    redacted bigint
);

comment on type public.audit_redaction is
    'Result of redact_audit_log: the number of entries whose values were removed.';
