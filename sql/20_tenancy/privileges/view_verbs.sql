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
declare
    v_namespace constant oid := (select c.relnamespace from pg_catalog.pg_class c where c.oid = relation);
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
                -- Views that read one another are not updatable, so the recursion ends.
                case when pg_relation_is_updatable(relation, false) & v.event > 0 then exists (
                    select
                    from pg_catalog.pg_depend d
                    join pg_catalog.pg_class c on c.oid = d.refobjid
                    where d.classid = 'pg_rewrite'::regclass
                        and d.objid = (
                            select r.oid from pg_catalog.pg_rewrite r where r.ev_class = relation and r.ev_type = '1'
                        )
                        and d.refclassid = 'pg_class'::regclass
                        and c.oid <> relation
                        and case
                            when c.relnamespace <> v_namespace then has_table_privilege('authenticated', c.oid, v.verb)
                            when c.relkind = 'v' then tenancy.view_verbs(c.oid) ~ v.verb
                            when c.relrowsecurity then tenancy.policy_verbs(c.oid) ~ v.verb
                        end
                ) end
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
    'The commands that a view with security_invoker can serve, as GRANT lists them: select; those that PostgreSQL passes on to a table that signed-in users may so write; and those that an INSTEAD OF trigger serves.';
