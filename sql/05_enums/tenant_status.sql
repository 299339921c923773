create type public.tenant_status as enum ('active', 'suspended');

comment on type public.tenant_status is
    'Whether a tenant answers: an active one does; a suspended one refuses everybody, service key included.';
