create function tenancy.sends_notifications(statements text)
    returns boolean
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- Not in the body of a routine, which does not run now.
    select regexp_replace(tenancy.without_comments(statements), '\mas\s+?\$(\w*?)\$.*?\$\1\$', '', 'gi') ~* '\m(pg_)?notify\M';
$$;

comment on function tenancy.sends_notifications(text) is
    'Whether the text of a tenant migration says NOTIFY or pg_notify outside the bodies of routines.';
