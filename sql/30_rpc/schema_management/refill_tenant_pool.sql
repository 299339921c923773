create function public.refill_tenant_pool()
    returns public.tenantry_tenant_pool
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- As in create_tenant_schema.
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
declare
    v_surplus uuid[];
    v_made text[] := array[]::text[];
    v_removed text[] := array[]::text[];
    v_pool public.tenantry_tenant_pool;
begin
    perform tenancy.require_platform_role('admin');

    -- Two calls at a time would both make what is missing. The second one only reports.
    if pg_try_advisory_xact_lock(hashtextextended('tenancy.pool', 0)) then
        v_surplus := tenancy.surplus_pooled_tenants();
        v_pool := tenancy.pool_status();
        if cardinality(v_surplus) > 0 then
            v_removed := tenancy.remove_pooled_tenant(v_surplus);
        elsif v_pool.missing > 0 then
            v_made := tenancy.fill_pool(at_most => v_pool.missing);
        end if;
    end if;

    if cardinality(v_made || v_removed) > 0 then
        perform tenancy.log_action(
            'pool.refill', null, jsonb_build_object('made', v_made, 'removed', v_removed)
        );
    end if;

    v_pool := tenancy.pool_status();
    v_pool.made := cardinality(v_made);
    v_pool.removed := cardinality(v_removed);
    return v_pool;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.refill_tenant_pool() is
    'Makes tenants for the pool, or removes one that is too many. '
    'The pool should have tenancy.platform_settings.pool_size tenants. '
    'create_tenant_schema without a name takes a tenant of the pool, which the Data API serves at '
    'once. A call does what fits a short transaction, so repeat it until missing and surplus are 0, '
    'or call it on a schedule. A call that finds another one running changes nothing. '
    'Callers: platform admin. '
    'Errors: template_broken, forbidden, not_authenticated, busy.';
