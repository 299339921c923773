create table tenancy.audit_seals (
    schema_name text not null,
    place bigint not null,
    entry_id bigint not null,
    entry_hash bytea not null,
    redacted_hash bytea,
    hash bytea,
    is_lasting boolean not null,
    lasting_hash bytea not null,
    is_anchor boolean not null default false,
    constraint audit_seals_pkey primary key (schema_name, place),
    constraint audit_seals_entry_key unique (schema_name, entry_id),
    constraint audit_seals_hash_is_known check (hash is not null or is_lasting)
);

alter table tenancy.audit_seals enable row level security;

comment on table tenancy.audit_seals is
    'The hash chain over each audit log: one link for each sealed entry, in the order of sealing.';
comment on column tenancy.audit_seals.schema_name is
    'Schema of the log: a tenant''s schema, or public for admin_audit_log.';
comment on column tenancy.audit_seals.entry_hash is 'SHA-256 of the entry as it was sealed.';
comment on column tenancy.audit_seals.redacted_hash is
    'SHA-256 of the entry without its values, if redact_audit_log removed them.';
comment on column tenancy.audit_seals.hash is
    'SHA-256 of the previous link''s hash and this entry_hash; null for a lasting entry before the anchor, where the previous links are removed.';
comment on column tenancy.audit_seals.is_lasting is
    'Whether no pruning removes the entry; see tenancy.lasting_entry.';
comment on column tenancy.audit_seals.lasting_hash is
    'The chain over the lasting entries alone, up to this link: SHA-256 of the previous lasting_hash and this entry_hash; empty while there is none. It stays complete when the entries between them are pruned.';
comment on column tenancy.audit_seals.is_anchor is
    'Whether all entries up to this link were pruned, except the lasting ones. The chain over all entries starts here.';
