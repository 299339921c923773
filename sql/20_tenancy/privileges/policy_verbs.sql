create function tenancy.policy_verbs(relation oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select string_agg(v.verb, ', ' order by v.verb)
        from (values ('r', 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete')) v (command, verb)
        where exists (
            select from pg_catalog.pg_policy p
            where p.polrelid = relation
                and p.polcmd::text in (v.command, '*')
                and 'authenticated'::regrole = any (p.polroles)
        )
    );
end;
$$;

comment on function tenancy.policy_verbs(oid) is
    'The commands for which a table has a policy for signed-in users, as GRANT lists them; null if there is none.';
