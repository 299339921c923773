create function tenancy.check_pool()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        'grants in the pool',
        t.schema_name,
        format('%s users have access to tenant %s, which is in the pool and belongs to nobody yet.', count(*), t.schema_name),
        'Delete these grants: ' || s.statement,
        s.statement
    from public.tenants t
    join public.user_schema_access a on a.schema_name = t.schema_name
    cross join lateral format('delete from public.user_schema_access where schema_name = %L;', t.schema_name) s (statement)
    where t.status = 'pooled'
    group by t.schema_name, s.statement
    union all
    select
        'warning: unusable tenant in the pool',
        t.schema_name,
        format('Tenant %s is in the pool, and nobody can use it: %s', t.schema_name, r.reason),
        'Run tenantry pool refill, which replaces it.',
        null::text
    from public.tenants t
    left join tenancy.unfinished_migrations u on u.schema_name = t.schema_name
    cross join lateral (
        select case
            when u.schema_name is not null then format('tenant migration %s has failed there: %s', u.version, u.message)
            when not exists (select from pg_catalog.pg_namespace n where n.nspname = t.schema_name)
            then 'its schema does not exist.'
        end
    ) r (reason)
    where t.status = 'pooled' and r.reason is not null
    union all
    select
        'warning: pool too small',
        'tenancy.platform_settings',
        format(
            'The pool has %s tenants at the latest version and should have %s. Without a ready one, creating a tenant takes longer and PostgREST loads its schema cache.',
            p.count, s.pool_size
        ),
        case
            when p.behind > 0 then format('%s tenants of the pool lack tenant migrations: run tenantry migrate. ', p.behind)
            else ''
        end || 'Run tenantry pool refill, and schedule refill_tenant_pool.',
        null::text
    from tenancy.platform_settings s
    cross join (
        select count(*) filter (where m.is_latest) as count, count(*) filter (where not m.is_latest) as behind
        from public.tenants t
        cross join lateral (select t.schema_version = tenancy.latest_tenant_version()) m (is_latest)
        where t.status = 'pooled'
    ) p
    where p.count < s.pool_size
    order by 1, 2;
$$;

comment on function tenancy.check_pool() is
    'Check: tenants of the pool that somebody has access to or that nobody can use, and a pool that has fewer tenants at the latest version than it should.';
