-- The trail follows a migration that changes columns and then rows.
select tenancy.register_tenant_migration('20261125164000', 'refresh_audit_trail', $tenant$
    select tenancy.audit_stale_tables(current_schema());
$tenant$);
