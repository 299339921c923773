create function tenancy.lock_invitation(secret text)
    returns tenancy.tenants_invitations
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '2s'
    language plpgsql
as $$
declare
    -- Before the locks, so that a stranger never waits for them and learns nothing from the wait.
    v_invitation constant tenancy.tenants_invitations := tenancy.require_invitation(secret);
begin
    perform tenancy.lock_users(array[(tenancy.caller()).user_id, v_invitation.invited_by]);
    -- An inviter's access ends under the lock of the tenant, a platform role only under this one.
    perform from public.admin_users a where a.user_id = v_invitation.invited_by for share;
    perform tenancy.lock_tenant_row(v_invitation.schema_name);

    -- Again: meanwhile another call may have ended the invitation, or the right of its inviter.
    return tenancy.require_invitation(secret);
end;
$$;

comment on function tenancy.lock_invitation(text) is
    'Locks the tenant of an invitation until the transaction ends, and everything by which its inviter may give access, and returns the invitation, for the invited person (errors of require_invitation; 55P03). Waits as lock_users and lock_tenant_row do.';
