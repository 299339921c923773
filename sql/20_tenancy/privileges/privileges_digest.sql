-- All that the privileges in a schema depend on, beside its objects. Names of the tenant itself
-- are left out, so that two tenants can have the same digest.
-- plpgsql, because it keeps the plan for the next tenant: planning costs more than running.
create function tenancy.privileges_digest(schema_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    -- Each step reads few rows by index.
    set enable_hashjoin = off
    set enable_mergejoin = off
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
declare
    v_schema constant oid := to_regnamespace(quote_ident(schema_name))::oid;
    v_text text;
begin
    select string_agg(format('%s %L %s', o.kind, o.name, o.state), ' ' order by o.kind, o.name, o.state)
    into v_text
    from (
        select 'schema' as kind, '' as name, concat_ws(' ', n.nspacl::text, n.nspowner::regrole) as state
        from pg_catalog.pg_namespace n
        where n.oid = v_schema
        union all
        select 'relation', c.relname::text, concat_ws(' ', c.relacl::text, c.relowner::regrole)
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = v_schema and d.classid = 'pg_class'::regclass
        union all
        select 'column', format('%I.%I', c.relname, a.attname), a.attacl::text
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        join pg_catalog.pg_attribute a on a.attrelid = c.oid
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = v_schema and d.classid = 'pg_class'::regclass
            and a.attacl is not null
        union all
        -- The owner has the privileges that are not written down. schema_objects leaves out the
        -- attributes of an audit routine.
        select 'routine',
            format(
                '%I(%s)', p.proname,
                replace(pg_get_function_identity_arguments(p.oid), quote_ident(schema_name) || '.', '')
            ),
            concat_ws(
                ' ', p.proacl::text, p.proowner::regrole, p.prosecdef, 'search_path=""' = any (p.proconfig),
                (
                    select string_agg(e.deptype::text, '' order by e.deptype)
                    from pg_catalog.pg_depend e
                    where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype in ('e', 'i')
                )
            )
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = v_schema and d.classid = 'pg_proc'::regclass
        union all
        select 'type', t.typname::text, t.typowner::regrole::text
        from pg_catalog.pg_depend d
        join pg_catalog.pg_type t on t.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass and d.refobjid = v_schema and d.classid = 'pg_type'::regclass
    ) o;

    return encode(sha256(convert_to(v_text, 'UTF8')), 'hex');
end;
$$;

comment on function tenancy.privileges_digest(text) is
    'A hash of the owners and privileges in a schema, with the attributes of its routines. Two tenants with equal objects and equal digests give the same privileges to the same roles.';
