create function tenancy.register_tenant_backfill(
    version text,
    name text,
    statement text,
    batch integer default 10000,
    audit_rows boolean default false
)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_project_registration(version, statement);

    perform tenancy.add_tenant_migration(
        version, name, statement, phase => 'backfill', batch => coalesce(batch, 10000), audit_rows => audit_rows
    );
end;
$$;

comment on function tenancy.register_tenant_backfill(text, text, text, integer, boolean) is
    'Registers a backfill: one UPDATE or DELETE that `tenantry migrate` repeats for one part of a table after the other, from row $1 to before row $2 of its ctid, until it changes none. Each batch of about a second is a transaction; the first one reads that many rows. New tenants pass it. The audit log of the tenant gets an entry for each batch, or with audit_rows for each row.';
