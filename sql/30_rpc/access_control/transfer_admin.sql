create function public.transfer_admin(schema_name text, user_id uuid)
    returns public.user_schema_access
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    -- Read before the change, which lowers the caller's own level.
    v_actor_role constant text := tenancy.actor_role(schema_name);
    v_tenant public.tenants;
    v_before public.user_schema_access;
    v_own_before public.user_schema_access;
    v_after public.user_schema_access;
    v_own_after public.user_schema_access;
begin
    perform tenancy.require_permission(schema_name, platform => null, member => 'admin');
    perform tenancy.require_user(user_id);
    v_tenant := tenancy.lock_tenant(schema_name, platform => null, member => 'admin');
    if user_id = v_caller.user_id then
        raise exception '"user_id" is your own id.'
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Send the id of another member.';
    end if;

    select * into v_before
    from public.user_schema_access a
    where a.user_id = transfer_admin.user_id
        and a.schema_name = transfer_admin.schema_name
        -- Support access counts as no admin of the tenant.
        and a.support_reason is null
        and (a.expires_at is null or a.expires_at > statement_timestamp());
    if v_before.user_id is null then
        raise exception 'User % is no member of tenant "%".', user_id, schema_name
            using errcode = 'PT404', detail = 'user_not_found',
                hint = 'Give the user access with grant_schema_access first.';
    end if;
    perform tenancy.require_grantable(schema_name, user_id, 'admin', v_before.expires_at);

    update public.user_schema_access a
    set access_level = 'admin', granted_by = v_caller.user_id, granted_at = now()
    where a.user_id = transfer_admin.user_id and a.schema_name = transfer_admin.schema_name
    returning * into v_after;

    select * into v_own_before
    from public.user_schema_access a
    where a.user_id = v_caller.user_id and a.schema_name = transfer_admin.schema_name;
    update public.user_schema_access a
    set access_level = 'write', granted_by = v_caller.user_id, granted_at = now()
    where a.user_id = v_caller.user_id and a.schema_name = transfer_admin.schema_name
    returning * into v_own_after;

    perform tenancy.log_action(
        'access.transfer', v_tenant,
        jsonb_build_object(
            'before', to_jsonb(v_before),
            'after', to_jsonb(v_after),
            'own_before', to_jsonb(v_own_before),
            'own_after', to_jsonb(v_own_after)
        ),
        v_actor_role
    );

    return v_after;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.transfer_admin(text, uuid) is
    'Makes another member of a tenant admin, lowers the caller''s own access to write, and returns the access of the new admin. '
    'Both or neither. The moments at which the two grants expire stay as they are. An admin whose '
    'own access expires cannot make anybody admin. A user whose access has expired, or who has '
    'support access, is no member; nor does support access make its holder an admin who can do this. '
    'Callers: tenant admin. '
    'Errors: invalid_request, tenant_not_found, user_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';
