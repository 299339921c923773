create type public.audit_verification as (
    is_intact boolean,
    checked bigint,
    head text,
    problem text,
    entry_id bigint,
    unsealed bigint,
    oldest_unsealed_at timestamptz
);

comment on type public.audit_verification is 'Result of verify_audit_log.';
comment on column public.audit_verification.checked is
    'Number of sealed entries that were checked.';
comment on column public.audit_verification.problem is
    'changed, removed, inserted or seal_changed (entry_id is the entry), or head_not_found; null if the log is intact.';
comment on column public.audit_verification.unsealed is
    'Number of entries that are not sealed yet. Nobody can tell whether such an entry was changed.';
comment on column public.audit_verification.oldest_unsealed_at is
    'When the oldest of the entries that are not sealed was written; null if all are sealed.';
