create function tenancy.end_logged_access(tenant public.tenants, user_id uuid, actor_role text)
    returns public.user_schema_access
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_before constant public.user_schema_access := tenancy.end_access(tenant.schema_name, user_id);
begin
    if v_before.user_id is not null then
        perform tenancy.log_action(
            case when v_before.support_reason is null then 'access.revoke' else 'support.close' end,
            tenant, jsonb_build_object('before', to_jsonb(v_before)), actor_role
        );
    end if;

    return v_before;
end;
$$;

comment on function tenancy.end_logged_access(public.tenants, uuid, text) is
    'Ends a user''s access as end_access does, and logs that with the role that the caller had before: access.revoke, or support.close.';
