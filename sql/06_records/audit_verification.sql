create type public.audit_verification as (
    is_intact boolean,
    checked bigint,
    head text,
    problem text,
    entry_id bigint
);

comment on type public.audit_verification is 'Result of verify_audit_log.';
comment on column public.audit_verification.checked is
    'Number of sealed entries that were checked.';
comment on column public.audit_verification.problem is
    'changed, removed, inserted or seal_changed (entry_id is the entry), or head_not_found; null if the log is intact.';
