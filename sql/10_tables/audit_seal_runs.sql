create table tenancy.audit_seal_runs (
    schema_name text not null,
    place bigint not null,
    sealed_at timestamptz not null default clock_timestamp(),
    oldest_running xid8 not null,
    last_entry_id bigint not null,
    horizon xid8 not null,
    hash bytea not null,
    lasting_hash bytea not null,
    constraint audit_seal_runs_pkey primary key (schema_name, place)
);

alter table tenancy.audit_seal_runs enable row level security;

comment on table tenancy.audit_seal_runs is
    'One row for each run of seal_audit_log that sealed an entry, with the transaction ids at that time. With these ids, verify_audit_log distinguishes an entry that committed late from an entry that was inserted afterwards.';
comment on column tenancy.audit_seal_runs.place is 'Place of the last link that the run added.';
comment on column tenancy.audit_seal_runs.oldest_running is
    'Oldest transaction that was running at that time. The run sealed only entries of earlier transactions.';
comment on column tenancy.audit_seal_runs.last_entry_id is
    'Highest entry id that had been handed out at that time.';
comment on column tenancy.audit_seal_runs.horizon is
    'A transaction id that was handed out after last_entry_id: later transactions have higher entry ids only.';
comment on column tenancy.audit_seal_runs.hash is
    'hash of the last link that the run added. It stays when the link is pruned, so that the head of the run is still found.';
comment on column tenancy.audit_seal_runs.lasting_hash is
    'lasting_hash of that link.';
