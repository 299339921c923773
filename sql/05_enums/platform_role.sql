-- Declared from least to most: comparisons such as `role >= 'admin'` rely on the order.
create type tenancy.platform_role as enum ('viewer', 'admin', 'super_admin');

comment on type tenancy.platform_role is
    'What a member of the platform staff may do. viewer: look at tenants; admin: also manage tenants; super_admin: also delete tenants and appoint staff. No role reads rows of a tenant.';
