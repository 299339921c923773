create type public.tenantry_audit_verification as (
    is_intact boolean,
    checked bigint,
    head text,
    problem text,
    entry_id bigint,
    unsealed bigint,
    oldest_unsealed_at timestamptz,
    pruned bigint,
    prunings jsonb
);

comment on type public.tenantry_audit_verification is 'Result of verify_audit_log.';
comment on column public.tenantry_audit_verification.checked is
    'Number of sealed entries that were checked.';
comment on column public.tenantry_audit_verification.problem is
    'changed, removed, inserted or seal_changed (entry_id is the entry), or head_not_found; null if the log is intact.';
comment on column public.tenantry_audit_verification.unsealed is
    'Number of entries that are not sealed yet. Nobody can tell whether such an entry was changed.';
comment on column public.tenantry_audit_verification.oldest_unsealed_at is
    'When the oldest of the entries that are not sealed was written; null if all are sealed.';
comment on column public.tenantry_audit_verification.pruned is
    'Number of entries that prune_audit_log has removed from the log so far.';
comment on column public.tenantry_audit_verification.prunings is
    'Who removed them: the latest 100 prunings, newest first, as {pruned_at, actor_id, actor_role, removed_before, removed, missing, head}. missing is the number of sealed entries that were gone before the pruning.';
