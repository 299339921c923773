create table tenancy.audit_prunings (
    schema_name text not null,
    place bigint not null,
    pruned_at timestamptz not null default clock_timestamp(),
    actor_id uuid,
    actor_role text not null,
    removed_before timestamptz not null,
    removed bigint not null,
    missing bigint not null,
    hash bytea not null,
    lasting_hash bytea not null,
    constraint audit_prunings_pkey primary key (schema_name, place)
);

alter table tenancy.audit_prunings enable row level security;

comment on table tenancy.audit_prunings is
    'One row for each call of prune_audit_log that removed an entry: who removed how much, and when. verify_audit_log returns it, and compares it with the hash chain.';
comment on column tenancy.audit_prunings.place is
    'Place of the last link that the pruning removed or passed. The link is the anchor of the chain until the next pruning.';
comment on column tenancy.audit_prunings.actor_id is 'User who pruned; null for the service key and for SQL.';
comment on column tenancy.audit_prunings.removed is 'Number of entries that the pruning removed.';
comment on column tenancy.audit_prunings.missing is
    'Number of sealed entries that somebody had removed before the pruning, and whose links the pruning removed.';
comment on column tenancy.audit_prunings.hash is 'hash of the anchor, as in audit_seals.';
comment on column tenancy.audit_prunings.lasting_hash is 'lasting_hash of the anchor, as in audit_seals.';
