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
declare
    v_caller constant tenancy.caller := tenancy.caller();
begin
    if v_caller.kind = 'postgres' then
        -- The owner's functions act for many people, so their name is logged, and the user in
        -- whose request they ran.
        details := jsonb_strip_nulls(jsonb_build_object(
            'by', tenancy.acting_function(),
            'signed_in', (select u.user_id from tenancy.calling_user u)
        )) || details;
    end if;

    insert into public.admin_audit_log
        (actor_id, actor_role, action, schema_name, tenant_id, details, request_id)
    values (
        v_caller.user_id,
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
    'Writes one entry to admin_audit_log; no other function writes there. Each RPC that changed something calls it once, in its transaction. tenant is null for an action on no tenant. If the action may have ended the caller''s own role, actor_role is the value of tenancy.actor_role before the change. For postgres the entry names the owner''s function that acted (by) and the user in whose request it ran (signed_in).';
