create function tenancy.check_tenants_behind()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'warning: tenants behind',
        'public.tenants',
        format(
            '%s tenants lack tenant migrations, such as %s. %s of them are in the middle of a backfill.',
            count(*), min(t.schema_name), count(b.schema_name)
        ),
        'Run tenantry migrate.',
        null::text
    from public.tenants t
    left join tenancy.unfinished_backfills b on b.schema_name = t.schema_name
    where t.schema_version <> (select tenancy.latest_tenant_version())
        -- check_pool reports the others.
        and t.status <> 'pooled'
        -- As check_stuck_tenants does.
        and not exists (select from tenancy.unfinished_migrations u where u.schema_name = t.schema_name)
    having count(*) > 0;
$$;

comment on function tenancy.check_tenants_behind() is
    'Check: tenants that do not have the latest tenant migration yet, as during a roll-out.';
