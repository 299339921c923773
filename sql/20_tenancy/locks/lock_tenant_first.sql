-- For what must not wait for others: whoever changes the tenant all the time could otherwise
-- hold it off. The lock "closing" is visible to other sessions before this transaction commits.
-- From then on lock_tenant refuses at once, so that nobody queues, and there is at most one
-- statement left that changes the tenant.
create function tenancy.lock_tenant_first(schema_name text, platform tenancy.platform_role)
    returns public.tenants
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
declare
    v_give_up constant timestamptz := clock_timestamp() + interval '2500 milliseconds';
    v_tenant public.tenants;
begin
    perform tenancy.require_permission(schema_name, platform, member => null);
    perform pg_advisory_xact_lock(hashtextextended('tenancy.closing.' || schema_name, 0));

    -- A change that ends within this time is not cancelled.
    perform set_config('lock_timeout', '300ms', true);
    loop
        begin
            select * into v_tenant
            from public.tenants t
            where t.schema_name = lock_tenant_first.schema_name
            for no key update;
            exit;
        exception
            when lock_not_available then
                if clock_timestamp() >= v_give_up then
                    raise;
                end if;
        end;
        perform tenancy.cancel_changes(schema_name);
    end loop;

    perform tenancy.require_permission(schema_name, platform, member => null);

    return v_tenant;
end;
$$;

comment on function tenancy.lock_tenant_first(text, tenancy.platform_role) is
    'Locks a tenant like lock_tenant, for a caller with this platform role, before everybody else: others who call lock_tenant are refused at once, and a statement that keeps the tenant for more than 300 ms is cancelled. Waits at most 2.5 s, for sessions that cannot be cancelled (errors of require_permission; 55P03).';
