create function tenancy.drop_unused_audit_routines(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_routine text;
begin
    for v_routine in
        select p.proname::text
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = to_regnamespace(quote_ident(schema_name))
            and d.classid = 'pg_proc'::regclass
            and p.prorettype = 'trigger'::regtype
            and p.proname like 'tg\_%\_\_audit'
            and not exists (
                select from pg_catalog.pg_depend t
                where t.refclassid = 'pg_proc'::regclass
                    and t.refobjid = p.oid
                    and t.classid = 'pg_trigger'::regclass
            )
    loop
        execute format('drop function %I.%I()', schema_name, v_routine);
    end loop;
end;
$$;

comment on function tenancy.drop_unused_audit_routines(text) is
    'Drops the audit functions of tables that no longer exist. Dropping a table drops its triggers, but not their functions.';
