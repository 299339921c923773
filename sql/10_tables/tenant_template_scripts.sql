create table tenancy.tenant_template_scripts (
    version text collate "C" not null,
    release text not null,
    default_privileges text not null,
    statements text,
    grants text,
    opening text,
    obstacle text,
    constraint tenant_template_scripts_pkey primary key (version),
    constraint tenant_template_scripts_version_fkey foreign key (version)
        references tenancy.tenant_migrations (version) on delete cascade,
    constraint tenant_template_scripts_is_script_or_obstacle check (
        num_nulls(statements, grants, opening) = case when obstacle is null then 0 else 3 end
    )
);

alter table tenancy.tenant_template_scripts enable row level security;

comment on table tenancy.tenant_template_scripts is
    'One script that makes a tenant at the latest version of the template, for run_creation_script. It is compiled from a replay of the tenant migrations, and compared with it. Without it, a new tenant replays them.';
comment on column tenancy.tenant_template_scripts.release is
    'The release of Tenantry that compiled the script. Another release may replay otherwise, and does not use it.';
comment on column tenancy.tenant_template_scripts.default_privileges is
    'The default privileges of the project when the script was compiled. Under others it would grant something else, and is not used.';
comment on column tenancy.tenant_template_scripts.statements is
    'SQL that creates the schema and everything in it, without a privilege for the API roles. {tenant_identifier} and {tenant_literal} stand for the schema''s name.';
comment on column tenancy.tenant_template_scripts.grants is 'SQL that grants the privileges on the objects of the schema.';
comment on column tenancy.tenant_template_scripts.opening is 'SQL that grants the privileges on the schema.';
comment on column tenancy.tenant_template_scripts.obstacle is 'Why there is no script, in words.';
