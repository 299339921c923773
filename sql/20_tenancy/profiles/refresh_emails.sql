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
        'update %1$I.users u'
        ' set email = a.email, updated_at = now()'
        ' from tenancy.stale_profiles(%1$L, $1, $2) s (id)'
        ' join auth.users a on a.id = s.id'
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
