-- PostgreSQL checks whether the user who reads or writes may execute what an expression calls.
create function tenancy.unexecutable_routines(
    schema_name text,
    out used_by text,
    out routine text,
    out own_name text
)
    returns setof record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name))::oid;
begin
    return query
    with tables as materialized (
        select t.oid, tenancy.policy_verbs(t.oid) as verbs
        from unnest(tenancy.table_oids(schema_name)) t (oid)
    ),
    -- What members start by reading or writing. Members write no table without such a policy.
    users as (
        select 'pg_constraint'::regclass as catalog, k.oid, 0::oid as trigger_routine
        from tables t
        join pg_catalog.pg_constraint k on k.conrelid = t.oid
        where t.verbs ~ 'insert|update' and k.contype in ('c', 'x')
        union all
        -- Defaults and generated columns.
        select 'pg_attrdef'::regclass, d.oid, 0
        from tables t
        join pg_catalog.pg_attrdef d on d.adrelid = t.oid
        where t.verbs ~ 'insert|update'
        union all
        -- Indexes with expressions or conditions.
        select 'pg_class'::regclass, i.indexrelid, 0
        from tables t
        join pg_catalog.pg_index i on i.indrelid = t.oid
        where t.verbs ~ 'insert|update'
        union all
        -- The keys of partitions.
        select 'pg_class'::regclass, t.oid, 0
        from tables t
        where t.verbs ~ 'insert|update'
        union all
        -- The condition of a trigger, and not its function, which nobody needs to execute.
        select 'pg_trigger'::regclass, g.oid, g.tgfoid
        from tables t
        join pg_catalog.pg_trigger g on g.tgrelid = t.oid
        where t.verbs ~ 'insert|update|delete' and not g.tgisinternal and g.tgqual is not null
        union all
        select 'pg_policy'::regclass, p.oid, 0
        from tables t
        join pg_catalog.pg_policy p on p.polrelid = t.oid
        where p.polroles && array[0::oid, 'authenticated'::regrole]
        union all
        select 'pg_constraint'::regclass, k.oid, 0
        from pg_catalog.pg_type y
        join pg_catalog.pg_constraint k on k.contypid = y.oid
        where y.typnamespace = v_namespace
        union all
        select 'pg_rewrite'::regclass, r.oid, 0
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid and c.relkind = 'v'
        join pg_catalog.pg_rewrite r on r.ev_class = c.oid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_class'::regclass
    ),
    calls as (
        select u.catalog, u.oid, coalesce(o.oprcode::oid, d.refobjid) as routine
        from users u
        join pg_catalog.pg_depend d
            on d.classid = u.catalog
            and d.objid = u.oid
            and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass)
            and d.refobjid <> u.trigger_routine
        left join pg_catalog.pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
    )
    select distinct
        replace(
            case c.catalog
                -- A view is a rule for PostgreSQL.
                when 'pg_rewrite'::regclass then (
                    select pg_describe_object('pg_class'::regclass, r.ev_class, 0)
                    from pg_catalog.pg_rewrite r
                    where r.oid = c.oid
                )
                else pg_describe_object(c.catalog, c.oid, 0)
            end,
            quote_ident(schema_name) || '.', ''
        ),
        replace(p.oid::regprocedure::text, quote_ident(schema_name) || '.', ''),
        case when p.pronamespace = v_namespace then p.proname::text end
    from calls c
    join pg_catalog.pg_proc p on p.oid = c.routine
    where case
        when p.pronamespace = v_namespace then
            not exists (
                select from tenancy.tenant_migrations m where p.proname = any (m.callable_routines)
            )
            or exists (
                select from tenancy.tenants_own_objects w
                where w.schema_name = unexecutable_routines.schema_name
                    and w.object_kind = 'routine'
                    and w.object_name = format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid))
            )
        else not has_function_privilege('authenticated', p.oid, 'execute')
    end
    order by 1, 2;
end;
$$;

comment on function tenancy.unexecutable_routines(text) is
    'The routines that members start by reading or writing a schema''s tables and views, and may not execute, each with the object that calls it. own_name is the name of a routine of the schema itself.';
