-- No DDL on tables and no reload: PostgREST knows the schema and its tables already. Callers at
-- the same time take different tenants, and none of them waits.
create function tenancy.claim_pooled_tenant(display_name text, created_by uuid)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_version constant text := tenancy.lock_latest_version();
    v_tenant public.tenants;
begin
    update public.tenants t
    set
        -- Entries about the time in the pool keep the old id, and the tenant's admins do not see them.
        id = gen_random_uuid(),
        display_name = coalesce(claim_pooled_tenant.display_name, t.schema_name),
        status = 'active',
        created_at = now(),
        created_by = claim_pooled_tenant.created_by,
        updated_at = now()
    where t.id = (
        select p.id
        from public.tenants p
        where p.status = 'pooled'
            and p.schema_version = v_version
            -- PostgREST has to know the tables, and SQL cannot see what PostgREST knows.
            and p.updated_at <= now() - (
                select make_interval(secs => s.pool_wait_seconds) from tenancy.platform_settings s
            )
            and exists (select from pg_catalog.pg_namespace n where n.nspname = p.schema_name)
            -- A grant that was there before would open the tenant to a stranger.
            and not exists (select from public.user_schema_access a where a.schema_name = p.schema_name)
        order by p.updated_at
        limit 1
        for update skip locked
    )
    returning * into v_tenant;

    return v_tenant;
end;
$$;

comment on function tenancy.claim_pooled_tenant(text, uuid) is
    'Makes an active tenant of one in the pool and returns it; null if none is ready. open_pooled_tenant opens it. Only after lock_users (55P03).';
