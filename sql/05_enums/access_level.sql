-- Declared from least to most: comparisons such as `level >= 'write'` rely on the order.
create type tenancy.access_level as enum ('read', 'write', 'admin');

comment on type tenancy.access_level is
    'What a user may do in one tenant. read: read rows; write: also write rows; admin: also administer the tenant.';
