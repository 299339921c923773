create function tenancy.find_profile(schema_name text, user_id uuid)
    returns public.tenantry_user_profile
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_profile public.tenantry_user_profile;
begin
    -- The address is Auth's. The tenant's table has a copy, which may be older, and which stays
    -- when the user is deleted or loses access: the later addresses are not the tenant's business.
    execute format(
        'select u.id, case when a.id is null or g.user_id is null then u.email else a.email end,'
        '    u.display_name, u.role, u.metadata, u.created_at, u.updated_at,'
        '    g.user_id is not null and exists (select from tenancy.active_users v where v.id = u.id)'
        ' from %1$I.users u'
        ' left join auth.users a on a.id = u.id'
        ' left join public.user_schema_access g on g.user_id = u.id and g.schema_name = %1$L'
        '     and (g.expires_at is null or g.expires_at > statement_timestamp())'
        ' where u.id = $1',
        schema_name
    )
    into v_profile
    using user_id;

    return v_profile;
end;
$$;

comment on function tenancy.find_profile(text, uuid) is
    'A user''s profile in a tenant, with the e-mail address that Auth has now, or had when the user lost access; all fields are null if there is none.';
