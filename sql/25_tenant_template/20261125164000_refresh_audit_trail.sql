-- The trail follows a migration that changes columns and then rows.
select tenancy.register_tenant_migration('20261125164000', 'refresh_audit_trail', $tenant$
    -- Nothing of its own: every tenant migration brings the audit trail up to date.
$tenant$);
