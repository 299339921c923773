create function tenancy.replace_invitation(schema_name text, email text)
    returns tenancy.tenants_invitations
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_replaced tenancy.tenants_invitations;
begin
    delete from tenancy.tenants_invitations i
    where i.schema_name = replace_invitation.schema_name
        and i.created_at <= statement_timestamp() - interval '1 day'
        and (i.ended_at is not null or i.valid_until <= statement_timestamp());

    update tenancy.tenants_invitations i
    set ended_at = now()
    where i.schema_name = replace_invitation.schema_name
        and i.folded_email = lower(replace_invitation.email collate "C")
        and i.ended_at is null
    returning * into v_replaced;

    return v_replaced;
end;
$$;

comment on function tenancy.replace_invitation(text, text) is
    'Ends the open invitation of an address, and returns it; null without one. It also removes invitations of the tenant that ended long ago. Only under a lock of the tenant.';
