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
        '    select from %I.users u'
        '    join auth.users a on a.id = u.id'
        '    where u.id = $1 and u.email is distinct from a.email'
        ')',
        schema_name
    )
    into v_is_stale
    using user_id;

    return v_is_stale;
end;
$$;

comment on function tenancy.has_stale_email(text, uuid) is
    'Whether a profile has another e-mail address than Auth. The profile of a deleted user has not.';
