create function tenancy.has_stale_email(schema_name text, user_id uuid)
    returns boolean
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_is_stale boolean;
begin
    execute format(
        'select exists ('
        '    select from %1$I.users u'
        '    join auth.users a on a.id = u.id'
        '    join public.user_schema_access g on g.user_id = u.id and g.schema_name = %1$L'
        '    where u.id = $1 and u.email is distinct from a.email'
        '        and (g.expires_at is null or g.expires_at > statement_timestamp())'
        ')',
        schema_name
    )
    into v_is_stale
    using user_id;

    return v_is_stale;
end;
$$;

comment on function tenancy.has_stale_email(text, uuid) is
    'Whether the profile of a user with access has another e-mail address than Auth.';
