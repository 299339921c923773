create table tenancy.tenant_template_limits (
    version text collate "C" not null,
    object_kind text not null,
    object_name text not null,
    grantee text not null,
    privilege text not null,
    columns text[] not null,
    constraint tenant_template_limits_pkey primary key (version, object_kind, object_name, grantee, privilege),
    constraint tenant_template_limits_version_fkey foreign key (version)
        references tenancy.tenant_migrations (version) on delete cascade
);

alter table tenancy.tenant_template_limits enable row level security;

comment on table tenancy.tenant_template_limits is
    'Privileges that tenant migrations have revoked from an API role, or limited to columns, at each version of the template. What has no row here follows from the policies.';
comment on column tenancy.tenant_template_limits.object_kind is 'table (also for views), sequence or routine.';
comment on column tenancy.tenant_template_limits.object_name is
    'Name of the object. A routine is limited by name, as it is declared callable by name.';
comment on column tenancy.tenant_template_limits.columns is
    'The columns on which the role keeps the privilege; empty if it was revoked altogether.';
