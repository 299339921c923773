select tenancy.make_append_only('tenancy', 'retention_floors');
