-- Derived from the registry and the catalog alone, so that suspending and activating again
-- ends exactly where it began. Objects are found through pg_depend, whose index makes the
-- cost that of one schema however many there are.
create function tenancy.tenant_privileges(schema_name text)
    returns setof tenancy.tenant_privilege
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name));
    v_version text;
begin
    select t.schema_version into v_version
    from public.tenants t
    where t.schema_name = tenant_privileges.schema_name and t.status = 'active';
    if not found then
        return;
    end if;

    -- Grants follow policies: a table that nobody adopted has none and stays unreachable.
    -- A view shows nothing of its own as long as it asks with its caller's rights.
    return query
    select r.object_kind, r.object_name, r.verbs
    from (
        select
            case c.relkind when 'S' then 'sequence' else 'table' end as object_kind,
            c.oid::regclass::text as object_name,
            case c.relkind
                when 'v' then 'select'
                when 'S' then 'select, usage'
                else tenancy.policy_verbs(c.oid)
            end as verbs
        from pg_catalog.pg_depend d
        join pg_catalog.pg_class c on c.oid = d.objid
        where d.refclassid = 'pg_namespace'::regclass
            and d.refobjid = v_namespace
            and d.classid = 'pg_class'::regclass
            and (
                (c.relkind in ('r', 'p') and c.relrowsecurity)
                or (c.relkind = 'v' and tenancy.is_security_invoker(c.reloptions))
                -- An identity column needs no grant on its sequence; serial does.
                or (c.relkind = 'S' and exists (
                    select from pg_catalog.pg_depend o
                    where o.classid = 'pg_class'::regclass
                        and o.objid = c.oid
                        and o.refclassid = 'pg_class'::regclass
                        and o.deptype = 'a'
                ))
            )
        -- Asked once an object, not once more by the condition.
        offset 0
    ) r
    where r.verbs is not null
    union all
    select 'routine', p.oid::regprocedure::text, 'execute'
    from pg_catalog.pg_depend d
    join pg_catalog.pg_proc p on p.oid = d.objid
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = v_namespace
        and d.classid = 'pg_proc'::regclass
        and exists (
            select from tenancy.tenant_migrations m
            where m.version <= v_version and p.proname = any (m.callable_routines)
        )
    union all
    select 'schema', quote_ident(schema_name), 'usage';
end;
$$;

comment on function tenancy.tenant_privileges(text) is
    'What authenticated and service_role are to have in a tenant: nothing unless it is active; the verbs of each table''s policies; routines that a migration declared callable.';
