-- What the reference schema has lost since open_reference, or has on columns alone, is what the
-- migration means to limit. Suspending, activating and creating a tenant compute privileges from
-- the policies, so without this record they would give back what the migration took away.
create function tenancy.record_limits(migration tenancy.tenant_migrations, objects_before oid[])
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    insert into tenancy.tenant_template_limits (version, object_kind, object_name, grantee, privilege, columns)
    with objects as materialized (
        select case c.relkind when 'S' then 'sequence' else 'table' end as kind, c.relname::text as name,
            c.oid, c.relacl as acl,
            case c.relkind when 'S' then '{select,usage}' else '{select,insert,update,delete}' end::text[] as verbs
        from pg_catalog.pg_class c
        where c.relnamespace = 'tenant_template'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
        union all
        -- A new routine has nothing to lose, and a migration that declares a routine callable
        -- opens it again.
        select 'routine', p.proname, p.oid, coalesce(p.proacl, acldefault('f', p.proowner)), '{execute}'
        from pg_catalog.pg_proc p
        where p.pronamespace = 'tenant_template'::regnamespace
            and p.oid = any (objects_before)
            and p.proname <> all (migration.callable_routines)
            and exists (select from tenancy.tenant_migrations m where p.proname = any (m.callable_routines))
    ),
    states as (
        select o.kind, o.name, g.grantee, v.verb, o.oid = any (objects_before) as is_old,
            exists (
                select from aclexplode(o.acl) a
                where a.grantee = g.grantee::regrole and lower(a.privilege_type) = v.verb
            ) as is_whole,
            array(
                select c.attname::text
                from pg_catalog.pg_attribute c
                cross join aclexplode(c.attacl) a
                where c.attrelid = o.oid
                    and not c.attisdropped
                    and a.grantee = g.grantee::regrole
                    and lower(a.privilege_type) = v.verb
                order by c.attname
            ) as columns
        from objects o
        cross join (values ('authenticated'), ('service_role')) g (grantee)
        cross join unnest(o.verbs) v (verb)
    )
    select distinct on (s.kind, s.name, s.grantee, s.verb)
        migration.version, s.kind, s.name, s.grantee, s.verb, s.columns
    from states s
    left join tenancy.tenant_template_limits b
        on b.version = (
            select m.version
            from tenancy.tenant_migrations m
            where m.position < migration.position
            order by m.position desc
            limit 1
        )
        and b.object_kind = s.kind
        and b.object_name = s.name
        and b.grantee = s.grantee
        and b.privilege = s.verb
    where not s.is_whole
        -- Columns count more than the whole table, which a new table has without being asked for.
        -- But a migration may grant the whole table again.
        or (cardinality(s.columns) > 0 and not (s.is_old and b.version is not null))
    order by s.kind, s.name, s.grantee, s.verb, cardinality(s.columns);
end;
$$;

comment on function tenancy.record_limits(tenancy.tenant_migrations, oid[]) is
    'Records the privileges that a tenant migration has revoked, or limited to columns, in tenant_template_limits. objects_before are the relations and routines of the reference schema before the migration.';
