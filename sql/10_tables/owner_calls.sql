create table tenancy.owner_calls (
    id bigint not null generated always as identity,
    transaction_id xid8 not null default pg_current_xact_id(),
    constraint owner_calls_pkey primary key (id)
);

alter table tenancy.owner_calls enable row level security;

comment on table tenancy.owner_calls is
    'One row for each running call of tenancy.as_owner. The call removes its row before it ends, so no other transaction ever sees one, and the table is always empty.';
