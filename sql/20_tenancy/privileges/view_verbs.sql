-- A view with security_invoker reads and writes with the rights of its caller, so the privileges
-- and the policies of its tables apply. A rule, and a trigger function with the rights of its
-- owner, would get around them.
create function tenancy.view_verbs(relation oid)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return (
        select string_agg(v.verb, ', ' order by v.verb)
        from (values ('select', 0, 0), ('insert', 8, 4), ('update', 4, 16), ('delete', 16, 8)) v (verb, event, trigger_event)
        where v.verb = 'select'
            or not exists (
                select from pg_catalog.pg_rewrite r where r.ev_class = relation and r.ev_type <> '1'
            )
            and not exists (
                select
                from pg_catalog.pg_trigger g
                join pg_catalog.pg_proc p on p.oid = g.tgfoid
                where g.tgrelid = relation and p.prosecdef
            )
            and (
                pg_relation_is_updatable(relation, false) & v.event > 0
                or exists (
                    select
                    from pg_catalog.pg_trigger g
                    -- 64 is INSTEAD OF.
                    where g.tgrelid = relation and g.tgtype & 64 > 0 and g.tgtype & v.trigger_event > 0
                )
            )
    );
end;
$$;

comment on function tenancy.view_verbs(oid) is
    'The commands that a view with security_invoker can serve, as GRANT lists them: select, and those that PostgreSQL passes on to its table or that an INSTEAD OF trigger serves.';
