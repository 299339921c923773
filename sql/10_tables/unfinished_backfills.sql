create table tenancy.unfinished_backfills (
    schema_name text not null,
    version text collate "C" not null,
    table_name text not null,
    alias text,
    pass integer not null default 1,
    next_block bigint not null default 0,
    end_block bigint not null,
    batch_blocks bigint not null,
    rows_a_block double precision not null,
    rows_done bigint not null default 0,
    rows_done_in_first_pass bigint not null default 0,
    rows_done_in_pass bigint not null default 0,
    seconds double precision not null default 0,
    seconds_a_block double precision not null default 0,
    started_at timestamptz not null default now(),
    writing_in xid8,
    constraint unfinished_backfills_pkey primary key (schema_name),
    constraint unfinished_backfills_schema_name_fkey foreign key (schema_name)
        references public.tenants (schema_name) on delete cascade,
    constraint unfinished_backfills_version_fkey foreign key (version)
        references tenancy.tenant_migrations (version) on delete cascade
);

create index unfinished_backfills_version_idx on tenancy.unfinished_backfills (version);

alter table tenancy.unfinished_backfills enable row level security;

comment on table tenancy.unfinished_backfills is
    'Tenants in which a backfill has begun, and how far it is. The row goes when the tenant has the version.';
comment on column tenancy.unfinished_backfills.alias is
    'Of an UPDATE: how its statement calls the table.';
comment on column tenancy.unfinished_backfills.pass is
    'A backfill reads the table block by block, again and again until nothing is left to change: rows move and are added meanwhile.';
comment on column tenancy.unfinished_backfills.next_block is
    'Where the next batch begins. The pass ends at end_block.';
comment on column tenancy.unfinished_backfills.batch_blocks is
    'Size of the next batch, adapted to the time that the batches take.';
comment on column tenancy.unfinished_backfills.rows_a_block is
    'Estimate of the rows in a block of 8 KiB, from blocks of the whole table.';
comment on column tenancy.unfinished_backfills.rows_done is 'Rows that the backfill has changed so far.';
comment on column tenancy.unfinished_backfills.seconds is 'Time that the batches have taken.';
comment on column tenancy.unfinished_backfills.writing_in is
    'The transaction that runs a batch now. It shows the audit triggers that a change belongs to the backfill; no other transaction ever sees it.';
