create type tenancy.migration_phase as enum ('change', 'backfill', 'index');

comment on type tenancy.migration_phase is
    'Kind of a tenant migration. change: any statements, in one short transaction; backfill: one statement that is repeated over parts of a table, each in a transaction of its own; index: one index, which can be built while the table is written.';
