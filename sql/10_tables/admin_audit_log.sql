-- Without foreign keys: an entry stays when its tenant or its user is deleted.
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
-- tenant_growth reads the deletions of all time.
create index admin_audit_log_deletions_idx on public.admin_audit_log (occurred_at)
    where action = 'tenant.delete';

alter table public.admin_audit_log enable row level security;

comment on table public.admin_audit_log is
    'Audit log of all admin actions: one entry for each call that changed something, written in the transaction of the call.';
comment on column public.admin_audit_log.actor_id is 'User who acted; null for the service key and for SQL.';
comment on column public.admin_audit_log.actor_role is
    'The actor''s role at that time: a platform role, tenant_<access level>, user, service_role or postgres.';
comment on column public.admin_audit_log.action is 'What happened, as <object>.<verb>: tenant.suspend, access.grant …';
comment on column public.admin_audit_log.tenant_id is
    'Id of the tenant. A schema name can be used again after a deletion, and the new tenant must not read the entries of the old one.';
comment on column public.admin_audit_log.details is
    'The values before and after the change. If a function of the owner acted as postgres: its name (by), and the user in whose request it ran (signed_in).';
comment on column public.admin_audit_log.request_id is
    'X-Request-Id as the caller sent it, unverified. The function''s log line has the same value.';
