-- No foreign keys: the log outlives the tenants and the users it speaks of.
create table public.admin_audit_log (
    id bigint not null generated always as identity,
    occurred_at timestamptz not null default clock_timestamp(),
    actor_id uuid,
    actor_role text not null,
    action text not null,
    schema_name text,
    tenant_id uuid,
    details jsonb not null default '{}',
    request_id text,
    constraint admin_audit_log_pkey primary key (id)
);

create index admin_audit_log_tenant_id_idx on public.admin_audit_log (tenant_id, id);
create index admin_audit_log_actor_id_idx on public.admin_audit_log (actor_id, id);

alter table public.admin_audit_log enable row level security;

comment on table public.admin_audit_log is
    'Audit trail of all admin actions: one entry for each call that changed something, written in its transaction.';
comment on column public.admin_audit_log.actor_id is 'User who acted; null for the service key and for SQL.';
comment on column public.admin_audit_log.actor_role is
    'What the actor was at that time: a platform role, tenant_<access level>, service_role or postgres.';
comment on column public.admin_audit_log.action is 'What happened, as <thing>.<verb>: tenant.suspend, access.grant …';
comment on column public.admin_audit_log.tenant_id is
    'The tenant by its id: a schema name may be used again after a deletion, and its new owner must not read the old one''s trail.';
comment on column public.admin_audit_log.details is 'The values before and after the change.';
comment on column public.admin_audit_log.request_id is
    'X-Request-Id as the caller claims it; join it with the log line of the function.';
