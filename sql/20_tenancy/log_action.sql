create function tenancy.log_action(action text, tenant public.tenants, details jsonb)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_role constant text := case
        when v_caller.kind = 'user' then
            coalesce(
                tenancy.platform_role()::text,
                'tenant_' || tenancy.access_level(tenant.schema_name),
                'user'
            )
        else v_caller.kind
    end;
begin
    insert into public.admin_audit_log
        (actor_id, actor_role, action, schema_name, tenant_id, details, request_id)
    values
        (v_caller.user_id, v_role, action, tenant.schema_name, tenant.id, details, tenancy.request_id());
end;
$$;

comment on function tenancy.log_action(text, public.tenants, jsonb) is
    'The one writer of admin_audit_log. Called by each RPC that changed something, in its transaction; tenant is null for actions on no tenant.';
