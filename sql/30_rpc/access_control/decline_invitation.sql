create function public.decline_invitation(secret text)
    returns public.tenantry_invitation
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_invitation tenancy.tenants_invitations;
    v_tenant public.tenants;
begin
    v_invitation := tenancy.lock_invitation(secret);
    select * into v_tenant from public.tenants t where t.schema_name = v_invitation.schema_name;

    update tenancy.tenants_invitations i set ended_at = now() where i.id = v_invitation.id;

    perform tenancy.log_action(
        'invitation.decline', v_tenant,
        jsonb_build_object('before', to_jsonb(tenancy.shown_invitation(v_invitation)))
    );

    return tenancy.shown_invitation(v_invitation);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.decline_invitation(text) is
    'Declines an invitation and returns the invitation that ended. '
    'The same callers may decline an invitation that may accept it, and get the same errors. '
    'Callers: anyone signed in. '
    'Errors: invalid_request, invitation_not_found, tenant_suspended, not_authenticated, busy.';
