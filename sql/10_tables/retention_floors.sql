create table tenancy.retention_floors (
    id bigint not null generated always as identity,
    days integer not null,
    set_at timestamptz not null default clock_timestamp(),
    constraint retention_floors_pkey primary key (id),
    constraint retention_floors_days_possible check (days between 0 and 36500)
);

alter table tenancy.retention_floors enable row level security;

comment on table tenancy.retention_floors is
    'Every value that platform_settings.audit_retention_days has had. A trigger writes it, and nobody changes it: a value still applies for as many days as it says after the next one was set.';
comment on column tenancy.retention_floors.set_at is
    'When this value was set. The value before it was in force until then.';

insert into tenancy.retention_floors (days)
select s.audit_retention_days from tenancy.platform_settings s;
