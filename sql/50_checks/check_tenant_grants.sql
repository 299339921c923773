-- Computes the privileges anew, and does not ask grant_differences: a mistake there, or in
-- apply_tenant_privileges, is found here.
create function tenancy.check_tenant_grants(schema_name text)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    -- Each step reads few rows by index.
    set enable_hashjoin = off
    set enable_mergejoin = off
    set jit = off
    language plpgsql
as $$
declare
    v_schema constant oid := to_regnamespace(quote_ident(schema_name))::oid;
    v_status tenancy.tenant_status;
    v_version text;
    v_position integer;
begin
    select t.status, m.version, m.position into v_status, v_version, v_position
    from public.tenants t
    join tenancy.tenant_migrations m on m.version = t.schema_version
    where t.schema_name = check_tenant_grants.schema_name;

    return query
    with recursive limits as materialized (
        select l.* from tenancy.tenant_template_limits l where l.version = v_version
    ),
    -- What each view reads, in the end.
    sources as (
        select c.oid as view, c.oid as relation
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid and c.relkind = 'v'
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_schema
            and d.classid = 'pg_class'::regclass
        union
        select s.view, d.refobjid
        from sources s
        join pg_catalog.pg_rewrite w on w.ev_class = s.relation and w.ev_type = '1'
        join pg_catalog.pg_depend d
            on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass
    ),
    objects as materialized (
        select 'schema' as kind, schema_name as title, quote_ident(schema_name) as target,
            n.nspacl as acl, array['usage'] as privileges, 0::oid as relation, null::text as own_name
        from pg_catalog.pg_namespace n
        where n.oid = v_schema
        union all
        select case c.relkind when 'S' then 'sequence' else 'table' end, format('%s.%s', schema_name, c.relname),
            format('%I.%I', schema_name, c.relname), c.relacl,
            case
                -- A view that runs with its owner's rights would show what policies hide.
                when c.relkind = 'v' and tenancy.is_security_invoker(c.reloptions) then array['select'] || array(
                    select k.privilege
                    -- Bits of pg_relation_is_updatable, and of INSTEAD OF triggers in tgtype.
                    from (values (8, 68, 'a', 'insert'), (4, 80, 'w', 'update'), (16, 72, 'd', 'delete'))
                        k (updatable, instead, command, privilege)
                    where (
                            -- PostgreSQL passes the command on to a table that takes it.
                            pg_relation_is_updatable(c.oid, false) & k.updatable > 0
                            and exists (
                                select
                                from sources s
                                join pg_catalog.pg_class b on b.oid = s.relation and b.relkind <> 'v'
                                where s.view = c.oid
                                    and case
                                        when b.relnamespace <> v_schema
                                        then has_table_privilege('authenticated', b.oid, k.privilege)
                                        else b.relrowsecurity and exists (
                                            select
                                            from pg_catalog.pg_policy p
                                            where p.polrelid = b.oid
                                                and p.polcmd::text in ('*', k.command)
                                                and 'authenticated'::regrole = any (p.polroles)
                                        )
                                    end
                            )
                            or exists (
                                select
                                from pg_catalog.pg_trigger g
                                where g.tgrelid = c.oid and g.tgtype & k.instead = k.instead
                            )
                        )
                        -- Rules and definers would write past the policies.
                        and not exists (
                            select from pg_catalog.pg_rewrite w where w.ev_class = c.oid and w.ev_type <> '1'
                        )
                        and not exists (
                            select
                            from pg_catalog.pg_trigger g
                            join pg_catalog.pg_proc p on p.oid = g.tgfoid
                            where g.tgrelid = c.oid and p.prosecdef
                        )
                )
                when c.relkind in ('r', 'p') and c.relrowsecurity then array(
                    select k.privilege
                    from (values ('r', 'select'), ('a', 'insert'), ('w', 'update'), ('d', 'delete'))
                        k (command, privilege)
                    where exists (
                        select
                        from pg_catalog.pg_policy p
                        where p.polrelid = c.oid
                            and p.polcmd::text in ('*', k.command)
                            and 'authenticated'::regrole = any (p.polroles)
                    )
                )
                -- A sequence that numbers rows which signed-in users may write.
                when c.relkind = 'S' and exists (
                    select
                    from (
                        select o.refobjid
                        from pg_catalog.pg_depend o
                        where o.classid = 'pg_class'::regclass
                            and o.objid = c.oid
                            and o.refclassid = 'pg_class'::regclass
                            and (
                                o.deptype = 'a'
                                or exists (
                                    select from pg_catalog.pg_attribute i
                                    where i.attrelid = o.refobjid and i.attnum = o.refobjsubid and i.attidentity = 'd'
                                )
                            )
                        union
                        select e.adrelid
                        from pg_catalog.pg_depend o
                        join pg_catalog.pg_attrdef e on e.oid = o.objid
                        where o.refclassid = 'pg_class'::regclass
                            and o.refobjid = c.oid
                            and o.classid = 'pg_attrdef'::regclass
                    ) u (relation)
                    join pg_catalog.pg_class n on n.oid = u.relation and n.relnamespace = v_schema and n.relrowsecurity
                    join pg_catalog.pg_policy p on p.polrelid = n.oid
                    where p.polcmd::text in ('*', 'a', 'w') and 'authenticated'::regrole = any (p.polroles)
                ) then array['usage']
            end,
            c.oid, c.relname::text
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_schema
            and d.classid = 'pg_class'::regclass
            and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        union all
        select 'routine', format('%s.%s(%s)', schema_name, p.proname, pg_get_function_identity_arguments(p.oid)),
            p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner)),
            case when exists (
                select
                from tenancy.tenant_migrations m
                where m.position <= v_position and p.proname = any (m.callable_routines)
            )
            and not exists (
                select from tenancy.tenants_own_objects w
                where w.schema_name = check_tenant_grants.schema_name
                    and w.object_kind = 'routine'
                    and w.object_name = format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid))
            ) then array['execute'] end,
            0, p.proname::text
        from pg_catalog.pg_depend d
        join pg_catalog.pg_proc p on p.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_schema
            and d.classid = 'pg_proc'::regclass
            -- The privileges on objects of an extension belong to the extension, and the constructors
            -- of a range type to a superuser.
            and not exists (
                select
                from pg_catalog.pg_depend e
                where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype in ('e', 'i')
            )
    ),
    due as (
        select o.kind, o.title, o.target, null::text as column_name, r.role_name as grantee, u.privilege
        from objects o
        cross join unnest(o.privileges) u (privilege)
        cross join (values ('authenticated'), ('service_role')) r (role_name)
        where (v_status = 'active' or (v_status = 'pooled' and o.kind = 'schema'))
            and not exists (
                select
                from limits l
                where l.object_kind = o.kind and l.object_name = o.own_name
                    and l.grantee = r.role_name and l.privilege = u.privilege
            )
        union all
        select 'column', format('%s.%s', o.title, c.attname), o.target, c.attname::text, l.grantee, l.privilege
        from limits l
        join objects o on o.kind = l.object_kind and o.own_name = l.object_name
        join pg_catalog.pg_attribute c on c.attrelid = o.relation and c.attnum > 0 and not c.attisdropped
        where v_status = 'active'
            and l.privilege = any (o.privileges)
            and cardinality(l.columns) > 0
            and (c.attname = any (l.columns) or starts_with(c.attname, 'x_'))
    ),
    actual as (
        select o.kind, o.title, o.target, null::text as column_name,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
            lower(a.privilege_type) as privilege
        from objects o
        cross join aclexplode(o.acl) a
        union all
        select 'column', format('%s.%s', o.title, c.attname), o.target, c.attname::text,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end,
            lower(a.privilege_type)
        from objects o
        join pg_catalog.pg_attribute c on c.attrelid = o.relation
        cross join aclexplode(c.attacl) a
    ),
    wrong as (
        select coalesce(a.kind, d.kind) as kind, coalesce(a.title, d.title) as title,
            coalesce(a.target, d.target) as target, coalesce(a.column_name, d.column_name) as column_name,
            coalesce(a.grantee, d.grantee) as grantee, coalesce(a.privilege, d.privilege) as privilege,
            a.kind is not null as is_excess
        from (
            select * from actual
            where actual.grantee in ('public', 'anon', 'authenticated', 'service_role')
        ) a
        full join due d
            on d.kind = a.kind and d.target = a.target and d.grantee = a.grantee and d.privilege = a.privilege
                and coalesce(d.column_name, '') = coalesce(a.column_name, '')
        where a.kind is null or d.kind is null
    )
    select
        'wrong grants',
        w.title,
        format(
            'On the %s %s, %s. The tenant is %s.',
            w.kind, w.title,
            string_agg(
                format(
                    case when w.is_excess then '%s has %s but should not have it' else '%s should have %s but has not' end,
                    case w.grantee when 'public' then 'PUBLIC' else w.grantee end, w.privilege
                ),
                '; ' order by w.grantee, w.privilege
            ),
            coalesce(v_status::text, 'the reference schema, which nobody may use')
        ),
        string_agg(s.statement, ' ' order by w.grantee, w.privilege),
        string_agg(s.statement, ' ' order by w.grantee, w.privilege)
    from wrong w
    cross join lateral (
        select format(
            '%s %s%s on %s %s %s %s;',
            case when w.is_excess then 'revoke' else 'grant' end,
            w.privilege,
            ' (' || quote_ident(w.column_name) || ')',
            case w.kind when 'column' then 'table' else w.kind end,
            w.target,
            case when w.is_excess then 'from' else 'to' end,
            w.grantee
        ) as statement
    ) s
    group by w.kind, w.title, w.is_excess
    -- What is too wide first.
    order by w.is_excess desc, w.kind <> 'schema', w.title;
end;
$$;

comment on function tenancy.check_tenant_grants(text) is
    'Check: privileges of the API roles and of PUBLIC in a tenant that do not fit its status, its policies, its callable routines and what its migrations have revoked.';
