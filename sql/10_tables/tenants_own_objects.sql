create table tenancy.tenants_own_objects (
    schema_name text not null,
    object_kind text not null,
    object_name text not null,
    constraint tenants_own_objects_pkey primary key (schema_name, object_kind, object_name),
    constraint tenants_own_objects_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade
);

alter table tenancy.tenants_own_objects enable row level security;

comment on table tenancy.tenants_own_objects is
    'Views, routines, types and sequences that a schema had before it became a tenant. They are the tenant''s own, as its own tables are, and no difference from the template.';
