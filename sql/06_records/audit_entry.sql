create type public.audit_entry as (
    id bigint,
    occurred_at timestamptz,
    actor_id uuid,
    actor_role text,
    action text,
    table_name text,
    record_id jsonb,
    old_values jsonb,
    new_values jsonb
);

comment on type public.audit_entry is
    'One entry of a tenant''s audit_log, as get_audit_log returns it.';
