-- Without a foreign key to tenants: checking it would lock the tenant's row, and a writer of the
-- tenant would wait for every operation on the tenant.
create table tenancy.tenant_activity (
    schema_name text not null,
    last_activity_at timestamptz not null,
    constraint tenant_activity_pkey primary key (schema_name)
)
-- The next version of a row is written into the same page. There is no index to update.
with (fillfactor = 50);

alter table tenancy.tenant_activity enable row level security;

comment on table tenancy.tenant_activity is
    'When each tenant was used last, to within five minutes. A row that is older than the tenant belonged to a former tenant of the same name.';
comment on column tenancy.tenant_activity.last_activity_at is
    'When a user or the service key last changed a row of an audited table, or called ensure_user_profile. Tenant migrations, operations of the platform and SQL of the owner do not count, and neither do reads.';
