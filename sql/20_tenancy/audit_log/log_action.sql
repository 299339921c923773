create function tenancy.log_action(
    action text,
    tenant public.tenants,
    details jsonb,
    actor_role text default null
)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    insert into public.admin_audit_log
        (actor_id, actor_role, action, schema_name, tenant_id, details, request_id)
    values (
        (tenancy.caller()).user_id,
        coalesce(log_action.actor_role, tenancy.actor_role(tenant.schema_name)),
        action,
        tenant.schema_name,
        tenant.id,
        details,
        tenancy.request_id()
    );
end;
$$;

comment on function tenancy.log_action(text, public.tenants, jsonb, text) is
    'Writes one entry to admin_audit_log; no other function writes there. Each RPC that changed something calls it once, in its transaction. tenant is null for an action on no tenant. If the action may have ended the caller''s own role, actor_role is the value of tenancy.actor_role before the change.';
