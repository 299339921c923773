create table tenancy.audit_seal_runs (
    schema_name text not null,
    place bigint not null,
    sealed_at timestamptz not null default clock_timestamp(),
    oldest_running xid8 not null,
    last_entry_id bigint not null,
    horizon xid8 not null,
    constraint audit_seal_runs_pkey primary key (schema_name, place)
);

alter table tenancy.audit_seal_runs enable row level security;

comment on table tenancy.audit_seal_runs is
    'When the chain grew, and what the database looked like then: enough to tell an entry that committed late from one slipped in afterwards.';
comment on column tenancy.audit_seal_runs.place is 'Place of the last link that the run added.';
comment on column tenancy.audit_seal_runs.oldest_running is
    'The run sealed what transactions before this one had written.';
comment on column tenancy.audit_seal_runs.last_entry_id is
    'The highest entry id handed out by then.';
comment on column tenancy.audit_seal_runs.horizon is
    'A transaction number handed out after that: later transactions can only have higher entry ids.';
