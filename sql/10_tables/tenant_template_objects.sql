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
    'What the reference schema was made of after each tenant migration: what a tenant at that version is compared with, whether or not the reference has moved on.';
