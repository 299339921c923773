create function public.accept_invitation(secret text)
    returns public.tenants
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_invitation tenancy.tenants_invitations;
    v_actor_role text;
    v_tenant public.tenants;
    v_before public.user_schema_access;
    v_after public.user_schema_access;
begin
    v_invitation := tenancy.lock_invitation(secret);
    -- Read before the change, which gives the caller another role.
    v_actor_role := tenancy.actor_role(v_invitation.schema_name);
    select * into v_tenant from public.tenants t where t.schema_name = v_invitation.schema_name;

    select * into v_before
    from public.user_schema_access a
    where a.user_id = v_caller.user_id and a.schema_name = v_invitation.schema_name;
    perform tenancy.require_not_member(v_invitation.schema_name);

    -- An invitation that the tenant's own admin could have made only, or that became one since.
    perform tenancy.require_given_by_tenant(
        v_invitation.schema_name, v_caller.user_id, v_invitation.access_level, v_invitation.expires_at,
        v_invitation.invited_by
    );
    v_after := tenancy.give_access(
        v_caller.user_id, v_invitation.schema_name, v_invitation.access_level, v_invitation.expires_at,
        v_invitation.invited_by, v_invitation.roles
    );
    update tenancy.tenants_invitations i set ended_at = now() where i.id = v_invitation.id;

    perform tenancy.log_action(
        'access.grant', v_tenant,
        jsonb_build_object(
            'before', case when v_before.user_id is not null then to_jsonb(v_before) end,
            'after', to_jsonb(v_after),
            'invitation', v_invitation.id
        ),
        v_actor_role
    );

    return v_tenant;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.accept_invitation(text) is
    'Accepts an invitation and returns the tenant, of which the caller is now a member. '
    'The caller has to be signed in with the e-mail address that was invited, and Auth has to '
    'have confirmed that address. An invitation can be accepted once. It is void if its inviter '
    'could no longer give the access. Platform staff accept invitations of the tenant''s own '
    'admins and of the service key alone. A wrong secret gets the same error as one that is used, '
    'expired, revoked or for another address. '
    'Callers: anyone signed in. '
    'Errors: invalid_request, invitation_not_found, member_exists, tenant_suspended, '
    'forbidden, not_authenticated, busy.';
