create function tenancy.grant_statements(schema_name text, of_schema boolean)
    returns text
    stable
    security invoker
    set search_path = ''
    set jit = off
    language sql
as $$
    with objects as materialized (
        select 'schema' as kind, quote_ident(n.nspname) as name, n.nspowner as owner, n.nspacl as acl, null::oid as relation
        from pg_catalog.pg_namespace n
        where n.nspname = schema_name
        union all
        select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text, c.relowner, c.relacl, c.oid
        from pg_catalog.pg_class c
        where c.relnamespace = to_regnamespace(quote_ident(schema_name))
        union all
        select case p.prokind when 'p' then 'procedure' else 'function' end, p.oid::regprocedure::text, p.proowner, p.proacl, null
        from pg_catalog.pg_proc p
        where p.pronamespace = to_regnamespace(quote_ident(schema_name))
        union all
        select 'type', t.oid::regtype::text, t.typowner, t.typacl, null
        from pg_catalog.pg_type t
        where t.typnamespace = to_regnamespace(quote_ident(schema_name))
    ),
    privileges as (
        select o.kind, o.name, a.grantee, string_agg(a.privilege, ', ' order by a.privilege) as list
        from objects o
        cross join lateral (
            select e.grantee, lower(e.privilege_type) from aclexplode(o.acl) e
            union all
            select e.grantee, format('%s (%I)', lower(e.privilege_type), c.attname)
            from pg_catalog.pg_attribute c
            cross join aclexplode(c.attacl) e
            where c.attrelid = o.relation
        ) a (grantee, privilege)
        -- Default privileges of the project for its own roles come by themselves.
        where a.grantee <> o.owner
            and not exists (
                select
                from pg_catalog.pg_default_acl d
                cross join aclexplode(d.defaclacl) e
                where d.defaclrole = o.owner
                    and d.defaclnamespace = 0
                    and e.grantee = a.grantee
                    and e.grantee not in ('anon'::regrole, 'authenticated'::regrole, 'service_role'::regrole)
                    and d.defaclobjtype = case o.kind
                        when 'schema' then 'n' when 'table' then 'r' when 'sequence' then 'S' when 'type' then 'T' else 'f'
                    end::"char"
                    and lower(e.privilege_type) = a.privilege
            )
        group by o.kind, o.name, a.grantee
    ),
    grantees as (
        select p.kind, p.name, p.list,
            string_agg(case p.grantee when 0 then 'public' else p.grantee::regrole::text end, ', ' order by p.grantee) as roles
        from privileges p
        group by p.kind, p.name, p.list
    )
    select coalesce(
        string_agg(
            format('grant %s on %s %s to %s;', g.list, g.kind, g.names, g.roles), E'\n'
            order by g.kind, g.names
        ),
        ''
    )
    from (
        select p.kind, p.list, p.roles, string_agg(p.name, ', ' order by p.name) as names
        from grantees p
        where (p.kind = 'schema') = of_schema
        group by p.kind, p.list, p.roles
    ) g;
$$;

comment on function tenancy.grant_statements(text, boolean) is
    'The statements that grant the privileges on the objects of this schema again, or those on the schema itself, except those of the owner.';
