-- Without this list nobody could tell a row that was copied from a row that the tenant wrote, nor
-- a source row that was verified from one that somebody changed afterwards.
create table tenancy.tenants_splits_rows (
    split_id bigint not null,
    key_hash bytea not null,
    row_hash bytea not null,
    copy_hash bytea,
    constraint tenants_splits_rows_pkey primary key (split_id, key_hash),
    constraint tenants_splits_rows_split_id_fkey foreign key (split_id)
        references tenancy.tenants_splits (id) on delete cascade
);

alter table tenancy.tenants_splits_rows enable row level security;

comment on table tenancy.tenants_splits_rows is
    'One row for each row that `tenantry split` has copied and that is still in the source.';
comment on column tenancy.tenants_splits_rows.key_hash is 'SHA-256 of the row''s key.';
comment on column tenancy.tenants_splits_rows.row_hash is 'SHA-256 of the source row, as it was copied.';
comment on column tenancy.tenants_splits_rows.copy_hash is
    'SHA-256 of the copy, if a trigger of the tenant''s table has changed it and nobody has accepted that; else null.';
