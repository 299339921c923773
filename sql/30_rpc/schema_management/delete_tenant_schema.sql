create function public.delete_tenant_schema(schema_name text)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- Longer than the role's own timeout, because a long audit log is sealed first.
    set statement_timeout = '60s'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_log jsonb;
    v_removed jsonb;
begin
    perform tenancy.require_permission(schema_name, platform => 'super_admin', member => null);
    -- Users first: deleting a user also deletes the user's grants and updates the grants that
    -- the user gave, in an unknown order.
    perform tenancy.lock_users(array(
        select u.id
        from public.user_schema_access a
        cross join unnest(array[a.user_id, a.granted_by]) u (id)
        where a.schema_name = delete_tenant_schema.schema_name
    ));
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'super_admin', member => null);

    if v_tenant.status <> 'suspended' then
        raise exception 'Tenant "%" is active.', schema_name
            using errcode = 'PT409', detail = 'tenant_active',
                hint = 'Deleting a tenant destroys all its data. Suspend the tenant first with suspend_tenant.';
    end if;

    perform tenancy.require_no_dependents(schema_name);

    select jsonb_build_object(
        'tables', count(*),
        'rows', coalesce(sum(tenancy.row_estimate(t.relation)), 0),
        'rows_are_estimated', true,
        'bytes', coalesce(sum(tenancy.table_bytes(t.relation)), 0)
    )
    into v_removed
    from unnest(tenancy.table_oids(schema_name)) t (relation);

    -- The audit log is destroyed with the tenant. Its last head and its counts are kept in
    -- admin_audit_log, in an entry that no pruning removes.
    v_log := tenancy.close_audit_log(schema_name);
    -- Also deletes the grants, by cascade.
    delete from public.tenants t where t.id = v_tenant.id;
    perform tenancy.log_action(
        'tenant.delete', v_tenant,
        jsonb_build_object('before', to_jsonb(v_tenant), 'audit_log', v_log, 'removed', v_removed)
    );
    perform tenancy.drop_tenant_schema(schema_name);
    perform tenancy.forget_activity(schema_name);

    return v_tenant;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.delete_tenant_schema(text) is
    'Deletes a suspended tenant with all its data and returns the tenant''s last state. '
    'The schema, the rows and the grants are deleted and cannot be restored, and the Data API '
    'no longer serves the tenant. admin_audit_log keeps its entries about the tenant. '
    'Callers: super_admin. '
    'Errors: tenant_not_found, tenant_active, has_dependents, forbidden, not_authenticated, busy.';
