create function tenancy.give_access(
    user_id uuid,
    schema_name text,
    access_level tenancy.access_level,
    expires_at timestamptz,
    granted_by uuid
)
    returns public.user_schema_access
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_access public.user_schema_access;
begin
    insert into public.user_schema_access as a (user_id, schema_name, access_level, expires_at, granted_by)
    values (user_id, schema_name, access_level, expires_at, granted_by)
    on conflict on constraint user_schema_access_pkey do update
    set access_level = excluded.access_level,
        expires_at = excluded.expires_at,
        granted_by = excluded.granted_by,
        granted_at = now()
    where a.user_id = excluded.user_id and a.schema_name = excluded.schema_name
    returning * into v_access;

    return v_access;
end;
$$;

comment on function tenancy.give_access(uuid, text, tenancy.access_level, timestamptz, uuid) is
    'Writes a grant, which replaces the one that the user had, and returns it. It checks nothing. Only under locks of the two users and of the tenant.';
