-- Declared from least to most: comparisons such as `role >= 'admin'` rely on the order.
create type public.platform_role as enum ('viewer', 'admin', 'super_admin');

comment on type public.platform_role is
    'What a member of the platform staff may do: look at tenants, also manage them, also delete them and appoint staff. No role reads tenant rows.';
