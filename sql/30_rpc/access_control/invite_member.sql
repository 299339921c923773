create function public.invite_member(
    schema_name text,
    email text,
    access_level tenancy.access_level default 'read',
    roles text[] default '{}',
    expires_at timestamptz default null
)
    returns public.tenantry_new_invitation
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_secret constant text := tenancy.new_secret();
    v_days constant integer := (select s.invitation_days from tenancy.platform_settings s);
    v_tenant public.tenants;
    v_email text;
    v_roles text[];
    v_before tenancy.tenants_invitations;
    v_after tenancy.tenants_invitations;
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => 'admin');
    perform tenancy.lock_users(array[v_caller.user_id]);
    v_tenant := tenancy.lock_tenant(schema_name, platform => 'admin', member => 'admin');
    v_email := tenancy.require_email(email);
    perform tenancy.require_argument('access_level', access_level::text);
    perform tenancy.require_argument('roles', roles::text);
    v_roles := tenancy.require_roles(schema_name, roles);
    if expires_at <= statement_timestamp() then
        raise exception '"expires_at" is in the past.'
            using errcode = 'PT422', detail = 'invalid_request',
                hint = 'Nothing was changed. Send a moment in the future, or leave it out.';
    end if;
    perform tenancy.require_grantable(schema_name, tenancy.find_staff(v_email), access_level, expires_at);
    perform tenancy.require_no_member(schema_name, v_email);

    v_before := tenancy.replace_invitation(schema_name, v_email);
    perform tenancy.require_below_invitation_limit(schema_name);
    insert into tenancy.tenants_invitations
        (schema_name, email, access_level, roles, expires_at, secret_hash, invited_by, valid_until)
    values (
        schema_name, v_email, access_level, v_roles, expires_at, sha256(convert_to(v_secret, 'UTF8')), v_caller.user_id,
        least(expires_at, now() + make_interval(days => v_days))
    )
    returning * into v_after;

    perform tenancy.log_action(
        'invitation.create', v_tenant,
        jsonb_build_object(
            'before', to_jsonb(tenancy.shown_invitation(v_before)),
            'after', to_jsonb(tenancy.shown_invitation(v_after))
        )
    );

    return row(
        v_after.id, v_after.schema_name, v_after.email, v_after.access_level, v_after.roles,
        v_after.expires_at, v_after.invited_by, v_after.created_at, v_after.valid_until, v_secret
    )::public.tenantry_new_invitation;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.invite_member(text, text, tenancy.access_level, text[], timestamptz) is
    'Invites an e-mail address to a tenant, and returns the secret that accepts the invitation. '
    'The secret is shown this once: send it to that address. It is valid for as many days as '
    'platform_settings.invitation_days says, 7 unless changed. expires_at is the end of the '
    'access, not of the invitation. Another call for the same address replaces the invitation. '
    'The person gets these roles, beside the level. Whether the address has an account does not '
    'matter. Platform staff become members only by an admin of the tenant itself, or by the '
    'service key. An admin whose own access expires, such as support access, can give neither the '
    'level admin nor access beyond that moment. '
    'Callers: tenant admin, platform admin. '
    'Errors: invalid_request, tenant_not_found, role_not_found, member_exists, own_grant, invitation_limit, '
    'tenant_suspended, forbidden, not_authenticated, busy.';
