create type public.audit_redaction as (
    schema_name text,
    user_id uuid,
    redacted bigint
);

comment on type public.audit_redaction is 'The answer of redact_audit_log: how many entries lost their values.';
