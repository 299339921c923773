create table tenancy.permissions (
    permission text collate "C" not null,
    description text,
    declared_at timestamptz not null default now(),
    constraint permissions_pkey primary key (permission)
);

alter table tenancy.permissions enable row level security;

comment on table tenancy.permissions is
    'The permissions of the product, such as invoices.approve. declare_permission writes them, in migrations of the project.';
