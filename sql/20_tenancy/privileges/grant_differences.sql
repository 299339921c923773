-- The expected privileges follow from the registry and the catalog alone, so a tenant that is
-- suspended and activated has the same privileges as before. Objects are read from pg_depend,
-- which has an index by schema, so that other schemas cost nothing.
create function tenancy.grant_differences(schema_name text)
    returns setof tenancy.tenant_grant
    stable
    security invoker
    set search_path = ''
    set jit = off
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name));
    -- The API roles, and PUBLIC, which is 0. Other roles are the operator's decision.
    v_grantees constant oid[] := array['anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole] || 0::oid;
    v_position integer;
begin
    select m.position into v_position
    from public.tenants t
    join tenancy.tenant_migrations m on m.version = t.schema_version
    where t.schema_name = grant_differences.schema_name and t.status = 'active';

    return query
    with objects as (
        select 'schema' as object_kind, quote_ident(schema_name) as object_name,
            null::oid as relation, n.nspacl as acl, 'usage' as verbs
        -- Expected even if the schema is missing: the grant then fails, and opens nothing.
        from (select) tenant
        left join pg_catalog.pg_namespace n on n.oid = v_namespace
        union all
        select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text,
            c.oid, c.relacl,
            -- Privileges follow the policies: a table without policies stays unreachable.
            case
                when v_position is null then null
                when c.relkind in ('r', 'p') and c.relrowsecurity then tenancy.policy_verbs(c.oid)
                -- Such a view shows its caller only what the policies of its tables allow.
                when c.relkind = 'v' and tenancy.is_security_invoker(c.reloptions) then 'select'
                -- An identity column needs no grant on its sequence; serial does.
                when c.relkind = 'S' and exists (
                    select from pg_catalog.pg_depend o
                    where o.classid = 'pg_class'::regclass
                        and o.objid = c.oid
                        and o.refclassid = 'pg_class'::regclass
                        and o.deptype = 'a'
                ) then 'select, usage'
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
            null, coalesce(p.proacl, acldefault('f', p.proowner)),
            case when exists (
                select from tenancy.tenant_migrations m
                where m.position <= v_position and p.proname = any (m.callable_routines)
            ) then 'execute' end
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_proc'::regclass
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
            where v_position is not null
            union all
            select a.grantee, lower(a.privilege_type), false
            from aclexplode(o.acl) a
            where a.grantee = any (v_grantees)
            union all
            -- Nobody should have privileges on columns. Revoking those on the table revokes them.
            select a.grantee, lower(a.privilege_type), false
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
    'The privileges in a tenant that differ from the expected ones, by object and role. Expected for authenticated and service_role: nothing unless the tenant is active; the commands of each table''s policies; execute on the routines that a migration declared callable. Expected for anon and PUBLIC: nothing.';
