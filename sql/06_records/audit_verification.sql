create type public.audit_verification as (
    is_intact boolean,
    checked bigint,
    head text,
    problem text,
    entry_id bigint
);

comment on type public.audit_verification is 'The answer of verify_audit_log.';
comment on column public.audit_verification.checked is 'Sealed entries looked at.';
comment on column public.audit_verification.problem is
    'changed, removed, inserted (then entry_id says which entry), seal_changed, or head_not_found; null if intact.';
