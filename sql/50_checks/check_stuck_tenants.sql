create function tenancy.check_stuck_tenants()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language sql
as $$
    select
        'stuck tenant',
        u.schema_name,
        format(
            'Tenant %s is stuck at tenant migration %s since %s: %s (%s)',
            u.schema_name, u.version, u.stuck_since, u.message, u.sqlstate
        ),
        'Correct what the message says in the tenant; or correct the migration with replace_tenant_migration, or '
            'withdraw it with withdraw_tenant_migration if no tenant has it. Then run tenantry migrate '
            '--retry-failed.',
        null::text
    from tenancy.unfinished_migrations u
    join public.tenants t on t.schema_name = u.schema_name
    -- check_pool reports the others.
    where t.status <> 'pooled'
    order by u.schema_name;
$$;

comment on function tenancy.check_stuck_tenants() is
    'Check: tenants whose next tenant migration has failed. They stay behind until somebody acts.';
