create function tenancy.surplus_pooled_tenants()
    returns uuid[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    with pool as (
        select t.id,
            row_number() over (
                -- Those that are ready stay.
                order by t.schema_version = tenancy.latest_tenant_version() desc, t.updated_at
            ) as place,
            not exists (select from pg_catalog.pg_namespace n where n.nspname = t.schema_name)
                or exists (select from tenancy.unfinished_migrations u where u.schema_name = t.schema_name)
                as is_unusable
        from public.tenants t
        where t.status = 'pooled'
    )
    select array(
        select p.id
        from pool p
        where p.is_unusable or p.place > (select s.pool_size from tenancy.platform_settings s)
        order by p.is_unusable desc, p.place desc
    );
$$;

comment on function tenancy.surplus_pooled_tenants() is
    'The tenants of the pool that are too many, and those that nobody can use, because a tenant migration has failed there or the schema is gone, by id.';
