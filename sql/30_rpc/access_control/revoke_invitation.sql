create function public.revoke_invitation(schema_name text, invitation_id uuid)
    returns public.tenantry_invitation
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_tenant public.tenants;
    v_before tenancy.tenants_invitations;
begin
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.require_argument('invitation_id', invitation_id::text);

    update tenancy.tenants_invitations i
    set ended_at = now()
    where i.id = revoke_invitation.invitation_id
        and i.schema_name = revoke_invitation.schema_name
        and i.ended_at is null
    returning * into v_before;
    if v_before.id is null then
        raise exception 'Tenant "%" has no open invitation %.', schema_name, invitation_id
            using errcode = 'PT404', detail = 'invitation_not_found',
                hint = 'There is nothing to revoke. If it was accepted, call revoke_schema_access.';
    end if;

    perform tenancy.log_action(
        'invitation.revoke', v_tenant,
        jsonb_build_object('before', to_jsonb(tenancy.shown_invitation(v_before)))
    );

    return tenancy.shown_invitation(v_before);
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.revoke_invitation(text, uuid) is
    'Revokes an invitation that nobody has accepted, and returns the invitation that ended. '
    'Its secret is void from then on. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, invitation_not_found, tenant_suspended, forbidden, '
    'not_authenticated, busy.';
