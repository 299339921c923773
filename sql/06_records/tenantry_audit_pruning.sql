create type public.tenantry_audit_pruning as (
    schema_name text,
    removed bigint,
    head text
);

comment on type public.tenantry_audit_pruning is
    'Result of prune_audit_log: the number of removed entries, and the head of the chain up to the last removed entry.';
