select tenancy.enable_tenant_table('tenancy', 'policy_samples', audited => false);
