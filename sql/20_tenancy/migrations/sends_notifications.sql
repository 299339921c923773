create function tenancy.sends_notifications(statements text)
    returns boolean
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select coalesce(bool_or(t.token ~* '\m(pg_)?notify\M'), false)
    from (
        select p.kind, p.token, lag(p.token) over (order by p.place) as code_before
        from tenancy.sql_tokens(
            tenancy.without_comments(statements, even_in_bodies => true)
        ) with ordinality p (kind, token, place)
    ) t
    -- Not the body of a routine, which does not run now.
    where not (t.kind = 'literal' and t.token like '$%' and coalesce(t.code_before ~* '\mas\s*$', false));
$$;

comment on function tenancy.sends_notifications(text) is
    'Whether the text of a tenant migration says NOTIFY or pg_notify outside the bodies of routines.';
