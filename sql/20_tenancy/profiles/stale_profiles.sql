-- auth.users is only read, and its rows are not locked: an address that changes meanwhile is left
-- for the next refresh. A tenant does not learn the later addresses of its former members.
create function tenancy.stale_profiles(schema_name text, at_most integer, user_id uuid default null)
    returns setof uuid
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query execute format(
        'select u.id'
        ' from %1$I.users u'
        ' join auth.users a on a.id = u.id'
        ' join public.user_schema_access g on g.user_id = u.id and g.schema_name = %1$L'
        ' where u.email is distinct from a.email and ($2 is null or u.id = $2)'
        '     and (g.expires_at is null or g.expires_at > statement_timestamp())'
        ' limit $1',
        schema_name
    )
    using at_most, user_id;
end;
$$;

comment on function tenancy.stale_profiles(text, integer, uuid) is
    'The users with access whose profile in a tenant has another e-mail address than Auth: among all profiles, or that of one user. Returns at most so many.';
