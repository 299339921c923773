-- auth.users is only read, and its rows are not locked: an address that changes meanwhile is left
-- for the next refresh. A tenant does not learn the later addresses of its former members.
create function tenancy.refresh_emails(schema_name text, at_most integer, user_id uuid default null)
    returns bigint
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_refreshed bigint;
begin
    execute format(
        'with stale as ('
        '    select u.id, a.email'
        '    from %1$I.users u'
        '    join auth.users a on a.id = u.id'
        '    join public.user_schema_access g on g.user_id = u.id and g.schema_name = %1$L'
        '    where u.email is distinct from a.email and ($2 is null or u.id = $2)'
        '        and (g.expires_at is null or g.expires_at > statement_timestamp())'
        '    limit $1'
        ')'
        ' update %1$I.users u'
        ' set email = s.email, updated_at = now()'
        ' from stale s'
        ' where s.id = u.id',
        schema_name
    )
    using at_most, user_id;

    get diagnostics v_refreshed = row_count;
    return v_refreshed;
end;
$$;

comment on function tenancy.refresh_emails(text, integer, uuid) is
    'Copies the present e-mail addresses from Auth into a tenant''s profiles, or into the profile of one user, and returns the number of profiles that it changed. Only under a lock of the tenant.';
