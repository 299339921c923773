select tenancy.make_append_only('public', 'admin_audit_log');
