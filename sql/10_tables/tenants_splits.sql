create table tenancy.tenants_splits (
    id bigint not null generated always as identity,
    relation regclass not null,
    column_name text not null,
    value text not null,
    schema_name text not null,
    state text not null default 'copying',
    compared_columns text[] not null,
    last_key text[],
    rows_copied bigint not null default 0,
    rows_deleted bigint not null default 0,
    checksum bytea,
    verified_at timestamptz,
    constraint tenants_splits_pkey primary key (id),
    constraint tenants_splits_value_key unique (relation, column_name, value),
    constraint tenants_splits_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade,
    constraint tenants_splits_state_is_known check (state in ('copying', 'copied', 'verified'))
);

create index tenants_splits_schema_name_idx on tenancy.tenants_splits (schema_name);

alter table tenancy.tenants_splits enable row level security;

comment on table tenancy.tenants_splits is
    'How far `tenantry split` is, for each table of the project and each value of the column that names the tenant. The row goes when the source has no row with this value any more.';
comment on column tenancy.tenants_splits.value is 'The value of the column, as text.';
comment on column tenancy.tenants_splits.compared_columns is
    'The columns that the hashes in tenants_splits_rows are computed from. They must be the same at every call.';
comment on column tenancy.tenants_splits.last_key is
    'Key of the last row that was copied, as texts. The next batch begins behind it.';
comment on column tenancy.tenants_splits.checksum is
    'SHA-256 over the hashes of all rows, in the order of the hashes of their keys, when they were verified.';
