-- A condition that asks neither a row nor a table has one answer for all members and strangers.
-- pg_node_tree shows what a condition reads: columns as VAR, tables as rtekind 0.
create function tenancy.open_policies(
    schema_name text,
    out policy_name text,
    out table_name text,
    out condition text
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select p.polname::text, c.relname::text, pg_get_expr(e.tree, p.polrelid)
    from unnest(tenancy.table_oids(schema_name)) t (oid)
    join pg_catalog.pg_class c on c.oid = t.oid
    join pg_catalog.pg_policy p on p.polrelid = c.oid
    cross join lateral (
        select p.polqual where p.polcmd <> 'a'
        union all
        -- Without a check, the condition of USING decides.
        select coalesce(p.polwithcheck, p.polqual) where p.polcmd in ('a', 'w', '*')
    ) e (tree)
    where p.polpermissive
        and p.polroles && array[0::oid, 'anon'::regrole, 'authenticated'::regrole]
        and e.tree::text !~ '\{VAR |:rtekind 0 '
        and pg_get_expr(e.tree, p.polrelid) <> 'false'
        -- A routine of the project may ask the rest. Those of PostgreSQL are not in pg_depend, and
        -- those of Auth only say that somebody has signed in.
        and not exists (
            select
            from pg_catalog.pg_depend d
            join pg_catalog.pg_proc f on f.oid = d.refobjid
            where d.classid = 'pg_policy'::regclass
                and d.objid = p.oid
                and d.refclassid = 'pg_proc'::regclass
                and f.pronamespace <> 'auth'::regnamespace
        )
    order by c.relname, p.polname;
$$;

comment on function tenancy.open_policies(text) is
    'The permissive policies of a schema for signed-in users whose condition is the same for members and strangers.';
