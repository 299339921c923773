-- The expected privileges follow from the registry and the catalog alone, so a tenant that is
-- suspended and activated has the same privileges as before. Objects are read from pg_depend,
-- which has an index by schema, so that other schemas cost nothing.
create function tenancy.grant_differences(schema_name text)
    returns setof tenancy.tenant_grant
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    set jit = off
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name));
    -- The API roles, and PUBLIC, which is 0. other_grants reports the others.
    v_grantees constant oid[] := array['anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole] || 0::oid;
    v_version text;
    v_position integer;
    v_is_pooled boolean;
begin
    v_is_pooled := exists (
        select from public.tenants t where t.schema_name = grant_differences.schema_name and t.status = 'pooled'
    );
    select m.version, m.position into v_version, v_position
    from public.tenants t
    join tenancy.tenant_migrations m on m.version = t.schema_version
    where t.schema_name = grant_differences.schema_name and t.status = 'active';

    return query
    with limits as materialized (
        select l.* from tenancy.tenant_template_limits l where l.version = v_version
    ),
    objects as (
        select 'schema' as object_kind, quote_ident(schema_name) as object_name,
            null::text as own_name, null::oid as relation, n.nspacl as acl, 'usage' as verbs
        -- Expected even if the schema is missing: the grant then fails, and opens nothing.
        from (select) tenant
        left join pg_catalog.pg_namespace n on n.oid = v_namespace
        union all
        select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text,
            c.relname::text, c.oid, c.relacl,
            -- Privileges follow the policies: a table without policies stays unreachable.
            case
                when v_position is null then null
                when c.relkind in ('r', 'p') and c.relrowsecurity then tenancy.policy_verbs(c.oid)
                when c.relkind = 'v' and tenancy.is_security_invoker(c.reloptions) then tenancy.view_verbs(c.oid)
                when c.relkind = 'S' then tenancy.sequence_verbs(c.oid)
            end
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_class'::regclass
            and c.relkind <> 'c'
        union all
        -- PostgreSQL lets everybody execute a new routine.
        select 'routine', p.oid::regprocedure::text,
            p.proname::text, null, coalesce(p.proacl, acldefault('f', p.proowner)),
            case when exists (
                select from tenancy.tenant_migrations m
                where m.position <= v_position and p.proname = any (m.callable_routines)
            )
            -- A migration means its own routine, not another one of that name.
            and not exists (
                select from tenancy.tenants_own_objects w
                where w.schema_name = grant_differences.schema_name
                    and w.object_kind = 'routine'
                    and w.object_name = format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid))
            ) then 'execute' end
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_proc'::regclass
            -- PostgreSQL makes the constructors of a range type. They belong to a superuser, and only
            -- return a value.
            and not exists (
                select from pg_catalog.pg_depend i
                where i.classid = 'pg_proc'::regclass and i.objid = p.oid and i.deptype = 'i'
            )
    )
    select o.object_kind, o.object_name, g.grantee, g.expected, g.found
    from objects o
    cross join lateral (
        select case v.grantee when 0 then 'public' else v.grantee::regrole::text end as grantee,
            string_agg(v.verb, ', ' order by v.verb) filter (where v.is_due) as expected,
            string_agg(v.verb, ', ' order by v.verb) filter (where not v.is_due) as found
        from (
            select r.oid, e.verb, true
            from unnest(array['authenticated'::regrole::oid, 'service_role'::regrole]) r (oid)
            cross join string_to_table(o.verbs, ', ') e (verb)
            -- Of a tenant in the pool only the schema: open_pooled_tenant grants the rest.
            where (v_position is not null or (v_is_pooled and o.object_kind = 'schema'))
                and not exists (
                    select
                    from limits l
                    where l.object_kind = o.object_kind
                        and l.object_name = o.own_name
                        and l.grantee::regrole = r.oid
                        and l.privilege = e.verb
                )
            union all
            select l.grantee::regrole, format('%s (%I)', e.verb, c.attname), true
            from string_to_table(o.verbs, ', ') e (verb)
            join limits l on l.object_kind = o.object_kind and l.object_name = o.own_name and l.privilege = e.verb
            join pg_catalog.pg_attribute c on c.attrelid = o.relation
            where c.attnum > 0
                and not c.attisdropped
                -- A column of the tenant's own is beside the template.
                and (c.attname = any (l.columns) or (c.attname like 'x\_%' and cardinality(l.columns) > 0))
            union all
            select a.grantee, lower(a.privilege_type), false
            from aclexplode(o.acl) a
            where a.grantee = any (v_grantees)
            union all
            -- Revoking the privileges on the table revokes those on its columns.
            select a.grantee, format('%s (%I)', lower(a.privilege_type), c.attname), false
            from pg_catalog.pg_attribute c
            cross join aclexplode(c.attacl) a
            where c.attrelid = o.relation and a.grantee = any (v_grantees)
        ) v (grantee, verb, is_due)
        group by v.grantee
    ) g
    where g.expected is distinct from g.found;
end;
$$;

comment on function tenancy.grant_differences(text) is
    'The privileges in a tenant that differ from the expected ones, by object and role. Expected for authenticated and service_role: nothing in a suspended tenant; only usage of the schema in one of the pool; the commands of each table''s policies, and those that a view can serve, without what a migration has revoked or limited to columns; execute on the routines that a migration declared callable. Expected for anon and PUBLIC: nothing.';
