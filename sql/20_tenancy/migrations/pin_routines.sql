-- Without this, an unqualified name in a body would mean whatever the search path of the caller
-- finds: nothing, or a table of public in place of the tenant's.
create function tenancy.pin_routines(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_path constant text := tenancy.tenant_search_path(schema_name);
    v_statements text;
begin
    select string_agg(format('alter routine %s set search_path = %s;', p.oid::regprocedure, v_path), ' ')
    into v_statements
    from pg_catalog.pg_depend d
    join pg_catalog.pg_proc p on p.oid = d.objid
    join pg_catalog.pg_language l on l.oid = p.prolang
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = to_regnamespace(quote_ident(schema_name))
        and d.classid = 'pg_proc'::regclass
        -- A tenant may have routines of its own. Those that this transaction has written are the
        -- migration's.
        and tenancy.is_written_now(p.xmin)
        and p.prosrc not like E'\n<<audit>>%'
        and p.prokind <> 'a'
        -- PostgreSQL makes routines of its own for a range type.
        and l.lanname not in ('internal', 'c')
        -- Standard SQL is bound to its objects when the routine is created, and a setting would
        -- keep PostgreSQL from inlining it.
        and p.prosqlbody is null
        and 'search_path=' || v_path <> all (coalesce(p.proconfig, '{}'))
        and not exists (
            select from pg_catalog.pg_depend e
            where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e'
        );

    if v_statements is not null then
        execute v_statements;
    end if;
end;
$$;

comment on function tenancy.pin_routines(text) is
    'Gives the routines of a schema that this transaction has written the search path of the tenant, whatever they declare, except routines with a body of standard SQL.';
