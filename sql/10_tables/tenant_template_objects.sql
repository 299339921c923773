create table tenancy.tenant_template_objects (
    version text collate "C" not null,
    object_kind text not null,
    object_name text not null,
    table_name text,
    definition text not null,
    constraint tenant_template_objects_pkey primary key (version, object_kind, object_name),
    constraint tenant_template_objects_version_fkey foreign key (version)
        references tenancy.tenant_migrations (version) on delete cascade
);

alter table tenancy.tenant_template_objects enable row level security;

comment on table tenancy.tenant_template_objects is
    'The objects of the reference schema after each tenant migration. A tenant is compared with the objects of its own version, also after later migrations have changed the reference schema.';
