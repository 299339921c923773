-- What belongs to the schema: the objects in it, and what PostgreSQL drops silently with them,
-- such as indexes, constraints and members of a publication. A partition in another schema
-- would be dropped silently, too, with rows that are not the tenant's.
create function tenancy.outside_dependents(schema_name text)
    returns text[]
    stable
    security invoker
    set search_path = ''
    -- By the index of pg_depend, so that other schemas cost nothing.
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
    language plpgsql
as $$
declare
    v_schema constant oid := to_regnamespace(quote_ident(schema_name))::oid;
begin
    return array(
        with recursive own (classid, objid) as (
            select 'pg_namespace'::regclass::oid, v_schema
            union
            select d.classid, d.objid
            from own o
            join pg_catalog.pg_depend d on d.refclassid = o.classid and d.refobjid = o.objid
            where (d.deptype <> 'n' or o.classid = 'pg_namespace'::regclass)
                and not exists (
                    select from pg_catalog.pg_class c
                    where d.classid = 'pg_class'::regclass
                        and c.oid = d.objid
                        and c.relkind in ('r', 'p', 'f', 'v', 'm')
                        and c.relnamespace <> v_schema
                )
        )
        select distinct coalesce(
            -- A view is a rule for PostgreSQL.
            (
                select pg_describe_object('pg_class'::regclass, r.ev_class, 0)
                from pg_catalog.pg_rewrite r
                where d.classid = 'pg_rewrite'::regclass and r.oid = d.objid and r.rulename = '_RETURN'
            ),
            pg_describe_object(d.classid, d.objid, d.objsubid)
        ) as description
        from own o
        join pg_catalog.pg_depend d on d.refclassid = o.classid and d.refobjid = o.objid
        where not exists (select from own i where i.classid = d.classid and i.objid = d.objid)
        order by description
    );
end;
$$;

comment on function tenancy.outside_dependents(text) is
    'Objects outside a schema that would be dropped with it, because they depend on something in it, as PostgreSQL describes them.';
