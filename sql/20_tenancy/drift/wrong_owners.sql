-- An owner is above policies and may grant anything. What runs with the rights of its owner would
-- have more rights than now if it were given back to the owner of Tenantry.
create function tenancy.wrong_owners(
    schema_name text,
    out object_kind text,
    out object_name text,
    out owner text,
    out expected text,
    out runs_as_owner boolean,
    out is_audit_routine boolean
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    -- Statistics of the catalog may be from a time with few tenants.
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
    set jit = off
    language plpgsql
as $$
declare
    v_schema constant oid := to_regnamespace(quote_ident(schema_name))::oid;
    v_owner constant oid := (select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'tenancy');
begin
    return query
    select o.kind, o.name, o.owner::regrole::text, v_owner::regrole::text, o.as_owner, o.audits
    from (
        select 'schema' as kind, quote_ident(n.nspname) as name, n.nspowner as owner, false as as_owner, false as audits
        from pg_catalog.pg_namespace n
        where n.oid = v_schema
        union all
        select case c.relkind
                when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table'
                when 'S' then 'sequence' when 'c' then 'type' else 'table'
            end,
            format('%I.%I', schema_name, c.relname), c.relowner,
            c.relkind in ('m', 'f')
                or (c.relkind = 'v' and not tenancy.is_security_invoker(c.reloptions))
                or (c.relkind <> 'v' and c.relhasrules),
            false
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_schema
            and d.classid = 'pg_class'::regclass
            and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')
            and c.relowner <> v_owner
            -- The sequence of a column follows its table.
            and not exists (
                select
                from pg_catalog.pg_depend s
                where c.relkind = 'S'
                    and s.classid = 'pg_class'::regclass
                    and s.objid = c.oid
                    and s.refclassid = 'pg_class'::regclass
                    and s.deptype in ('a', 'i')
            )
        union all
        select 'routine', format('%I.%I(%s)', schema_name, p.proname, pg_get_function_identity_arguments(p.oid)),
            p.proowner, p.prosecdef, p.prosrc like E'\n<<audit>>%'
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_schema
            and d.classid = 'pg_proc'::regclass
            and p.proowner <> v_owner
            -- Objects of an extension, and the constructors of a range type, belong to a superuser.
            and not exists (
                select from pg_catalog.pg_depend e
                where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype in ('e', 'i')
            )
        union all
        select 'type', format('%I.%I', schema_name, t.typname), t.typowner, false, false
        from pg_catalog.pg_depend d
        join pg_catalog.pg_type t on t.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_schema
            and d.classid = 'pg_type'::regclass
            and t.typtype in ('e', 'd', 'r')
            and t.typowner <> v_owner
            and not exists (
                select from pg_catalog.pg_depend e
                where e.classid = 'pg_type'::regclass and e.objid = t.oid and e.deptype = 'e'
            )
    ) o
    where o.owner <> v_owner;
end;
$$;

comment on function tenancy.wrong_owners(text) is
    'The objects of a schema, and the schema itself, that belong to another role than Tenantry''s own objects.';
