create type tenancy.tenant_status as enum ('active', 'suspended', 'pooled');

comment on type tenancy.tenant_status is
    'The state of a tenant. active: the Data API serves its rows; suspended: it refuses everybody, the service key included; pooled: made in advance for create_tenant_schema, and until then a tenant for nobody.';
