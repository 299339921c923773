create type public.tenantry_admin_audit_entry as (
    id bigint,
    occurred_at timestamptz,
    actor_id uuid,
    actor_role text,
    action text,
    schema_name text,
    tenant_id uuid,
    details jsonb,
    request_id text,
    has_more boolean
);

comment on type public.tenantry_admin_audit_entry is
    'One entry of admin_audit_log, as get_admin_audit_log returns it.';
comment on column public.tenantry_admin_audit_entry.has_more is
    'Whether an older entry follows. Of the last entry of a page: whether there is a next page.';
