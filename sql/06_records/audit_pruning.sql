create type public.audit_pruning as (
    schema_name text,
    removed bigint,
    head text
);

comment on type public.audit_pruning is 'The answer of prune_audit_log: how many entries went, and the head of the chain up to the last of them.';
