-- An inviter can give no more than grant_schema_access would let them give now: see
-- require_grantable. So an inviter who is gone, demoted or expired takes the invitations along.
create view tenancy.open_invitations as
    select i.id, i.schema_name, i.email, i.folded_email, i.access_level, i.roles, i.expires_at, i.secret_hash,
        i.invited_by, i.created_at, i.valid_until, i.ended_at
    from tenancy.tenants_invitations i
    where i.ended_at is null
        and i.valid_until > statement_timestamp()
        and (
            i.invited_by is null
            or exists (
                select
                from tenancy.active_users u
                where u.id = i.invited_by
                    and exists (
                        select from tenancy.current_staff p
                        where p.user_id = u.id and p.role >= 'admin'
                    )
            )
            or exists (
                select
                from tenancy.current_tenant_admins a
                where a.user_id = i.invited_by
                    and a.schema_name = i.schema_name
                    and (
                        a.expires_at is null
                        or (i.access_level < 'admin' and i.expires_at <= a.expires_at)
                    )
            )
        );

comment on view tenancy.open_invitations is
    'The invitations that can be accepted now: not ended, still valid, and by an inviter who could still give this access. The columns are those of the table.';
