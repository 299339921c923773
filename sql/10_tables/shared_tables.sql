create table tenancy.shared_tables (
    relation regclass not null,
    is_granted boolean not null,
    shared_at timestamptz not null default now(),
    constraint shared_tables_pkey primary key (relation)
);

alter table tenancy.shared_tables enable row level security;

comment on table tenancy.shared_tables is
    'Tables outside the tenants that foreign keys of the template may reference, such as a catalogue of products. share_table and unshare_table write it.';
comment on column tenancy.shared_tables.is_granted is
    'Whether share_table has granted SELECT to authenticated, so that unshare_table revokes it.';
