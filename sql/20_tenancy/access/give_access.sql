create function tenancy.give_access(
    user_id uuid,
    schema_name text,
    access_level tenancy.access_level,
    expires_at timestamptz,
    granted_by uuid,
    roles text[] default null,
    support_reason text default null
)
    returns public.user_schema_access
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_roles constant text[] := coalesce(
        roles,
        (
            select a.roles
            from public.user_schema_access a
            where a.user_id = give_access.user_id
                and a.schema_name = give_access.schema_name
                -- Whoever comes back, for example by a domain, starts without roles.
                and (a.expires_at is null or a.expires_at > statement_timestamp())
        ),
        '{}'
    );
    v_access public.user_schema_access;
begin
    perform tenancy.lock_template_roles(v_roles);

    insert into public.user_schema_access as a
        (user_id, schema_name, access_level, expires_at, granted_by, roles, permissions, support_reason)
    values (
        user_id, schema_name, access_level, expires_at, granted_by,
        v_roles, tenancy.role_permissions(schema_name, v_roles),
        support_reason
    )
    on conflict on constraint user_schema_access_pkey do update
    set access_level = excluded.access_level,
        expires_at = excluded.expires_at,
        granted_by = excluded.granted_by,
        roles = excluded.roles,
        permissions = excluded.permissions,
        support_reason = excluded.support_reason,
        granted_at = now()
    where a.user_id = excluded.user_id and a.schema_name = excluded.schema_name
    returning * into v_access;

    return v_access;
end;
$$;

comment on function tenancy.give_access(uuid, text, tenancy.access_level, timestamptz, uuid, text[], text) is
    'Writes a grant, or with a reason a support access, which replaces the one that the user had, and returns it. Without roles, the user keeps those of a grant that has not expired. It checks nothing. Only under locks of the two users and of the tenant.';
