create type public.tenantry_audit_entry as (
    id bigint,
    occurred_at timestamptz,
    actor_id uuid,
    actor_role text,
    action text,
    table_name text,
    record_id jsonb,
    old_values jsonb,
    new_values jsonb,
    has_more boolean
);

comment on type public.tenantry_audit_entry is
    'One entry of a tenant''s audit_log, as get_audit_log returns it.';
comment on column public.tenantry_audit_entry.has_more is
    'Whether an older entry follows. Of the last entry of a page: whether there is a next page.';
