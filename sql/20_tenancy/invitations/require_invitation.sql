-- To everybody but the invited person a wrong secret looks the same as a used, expired, revoked or
-- foreign one, in the reply and in time: the same statements run, and none of them waits.
create function tenancy.require_invitation(secret text)
    returns tenancy.tenants_invitations
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_user_id constant uuid := (tenancy.require_signed_in()).user_id;
    v_invitation tenancy.tenants_invitations;
    v_folded_email text;
    v_status tenancy.tenant_status;
begin
    perform tenancy.require_argument('secret', secret);

    -- Not from the token, whose address may be an old one or may never have been confirmed.
    select lower(u.email collate "C") into v_folded_email
    from auth.users u
    where u.id = v_user_id and u.email_confirmed_at is not null;
    select i.* into v_invitation
    from tenancy.open_invitations i
    where i.secret_hash = sha256(convert_to(secret, 'UTF8')) and i.folded_email = v_folded_email;
    select t.status into v_status
    from public.tenants t
    where t.schema_name = v_invitation.schema_name and t.status <> 'pooled';

    if v_status is null then
        perform tenancy.log_refusal('invitation_not_found');
        raise exception 'You have no open invitation with this secret.'
            using errcode = 'PT404', detail = 'invitation_not_found',
                hint = 'Sign in with the e-mail address that was invited, and confirm it. Otherwise ask for a new invitation.';
    end if;

    if v_status = 'suspended' then
        perform tenancy.log_refusal('tenant_suspended', v_invitation.schema_name);
        raise exception 'Tenant "%" is suspended.', v_invitation.schema_name
            using errcode = '42501', detail = 'tenant_suspended',
                hint = 'Nothing was changed. Try again once a platform admin has activated the tenant.';
    end if;

    return v_invitation;
end;
$$;

comment on function tenancy.require_invitation(text) is
    'Returns the open invitation with this secret, for a caller whose confirmed e-mail address was invited (PT401 not_authenticated; PT404 invitation_not_found, the same for everybody else and for every other secret; 42501 tenant_suspended; PT422 invalid_request).';
