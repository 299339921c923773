create function tenancy.shown_invitation(invitation tenancy.tenants_invitations)
    returns public.tenantry_invitation
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select row(
        invitation.id, invitation.schema_name, invitation.email, invitation.access_level,
        invitation.roles, invitation.expires_at, invitation.invited_by, invitation.created_at, invitation.valid_until
    )::public.tenantry_invitation
    where invitation.id is not null;
$$;

comment on function tenancy.shown_invitation(tenancy.tenants_invitations) is
    'An invitation as replies and the audit log have it, without the hash of its secret; null without an invitation.';
