create table tenancy.policy_samples (
    id integer not null,
    constraint policy_samples_pkey primary key (id)
);

alter table tenancy.policy_samples enable row level security;

comment on table tenancy.policy_samples is
    'Has the policies that create_table makes, and no rows. The doctor compares tenants'' own tables with it, because the template has no such tables.';
