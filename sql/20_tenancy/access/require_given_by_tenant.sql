-- Otherwise one member of the staff could let another one in, or both could let each other in.
create function tenancy.require_given_by_tenant(
    schema_name text,
    user_id uuid,
    access_level tenancy.access_level,
    expires_at timestamptz,
    giver uuid
)
    returns void
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if giver is null
        or not exists (select from tenancy.current_staff s where s.user_id = require_given_by_tenant.user_id)
        or exists (
            select from tenancy.current_tenant_admins a
            where a.schema_name = require_given_by_tenant.schema_name
                and a.user_id = giver
                and (
                    a.expires_at is null
                    or (
                        require_given_by_tenant.access_level < 'admin'
                        and require_given_by_tenant.expires_at <= a.expires_at
                    )
                )
        )
    then
        return;
    end if;

    perform tenancy.log_refusal('forbidden', schema_name);
    raise exception 'User % is platform staff: only an admin of tenant "%" itself makes them a member.',
        user_id, schema_name
        using errcode = '42501', detail = 'forbidden',
            hint = 'Platform staff look inside with open_support_access, which ends by itself and which the tenant sees.';
end;
$$;

comment on function tenancy.require_given_by_tenant(text, uuid, tenancy.access_level, timestamptz, uuid) is
    'Refuses access for a member of the platform''s staff, unless an admin of the tenant itself could give it now; null as the giver is the service key or the owner, who may (42501 forbidden).';
