-- The one place that computes what the API roles may touch in a tenant. It is derived from
-- the registry and the catalog alone, so that suspending and activating again ends exactly
-- where it began. Objects are found through pg_depend, whose index makes the cost that of
-- one schema however many there are.
create function tenancy.apply_tenant_privileges(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_roles constant text := 'public, anon, authenticated, service_role';
    v_active constant boolean := exists (
        select from public.tenants t
        where t.schema_name = apply_tenant_privileges.schema_name and t.status = 'active'
    );
    v_namespace constant oid := to_regnamespace(quote_ident(schema_name));
    v_relations text;
    v_sequences text;
    v_routines text;
    v_grants text;
begin
    -- The schema first: from here on the next statement of anybody fails.
    execute format('revoke all on schema %I from %s', schema_name, v_roles);

    -- Only what others than the owner may touch: rewriting the rest would cost as much as
    -- the schema is large. Routines everybody may call until told otherwise.
    select
        string_agg(c.oid::regclass::text, ', ') filter (where c.relkind <> 'S'),
        string_agg(c.oid::regclass::text, ', ') filter (where c.relkind = 'S')
    into v_relations, v_sequences
    from pg_catalog.pg_depend d
    join pg_catalog.pg_class c on c.oid = d.objid
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = v_namespace
        and d.classid = 'pg_class'::regclass
        and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        and (
            exists (select from aclexplode(c.relacl) a where a.grantee <> c.relowner)
            or exists (
                select from pg_catalog.pg_attribute a
                where a.attrelid = c.oid and a.attacl is not null
            )
        );

    select string_agg(p.oid::regprocedure::text, ', ') into v_routines
    from pg_catalog.pg_depend d
    join pg_catalog.pg_proc p on p.oid = d.objid
    where d.refclassid = 'pg_namespace'::regclass
        and d.refobjid = v_namespace
        and d.classid = 'pg_proc'::regclass
        and (
            p.proacl is null
            or exists (select from aclexplode(p.proacl) a where a.grantee <> p.proowner)
        );

    if v_relations is not null then
        execute format('revoke all on table %s from %s', v_relations, v_roles);
    end if;
    if v_sequences is not null then
        execute format('revoke all on sequence %s from %s', v_sequences, v_roles);
    end if;
    if v_routines is not null then
        execute format('revoke all on routine %s from %s', v_routines, v_roles);
    end if;

    if not v_active then
        return;
    end if;

    -- Grants follow policies: a table that nobody adopted has none and stays unreachable.
    -- A view shows nothing of its own as long as it asks with its caller's rights.
    with relations as (
        select c.oid, c.relkind,
            case c.relkind
                when 'v' then 'select'
                when 'S' then 'usage, select'
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
    ),
    statements as (
        select format(
            'grant %s on %s %s to authenticated, service_role;',
            r.verbs,
            case when r.relkind = 'S' then 'sequence' else 'table' end,
            string_agg(r.oid::regclass::text, ', ')
        ) as statement
        from relations r
        where r.verbs is not null
        group by r.verbs, r.relkind = 'S', case when r.relkind = 'S' then 'sequence' else 'table' end
    )
    select string_agg(s.statement, ' ') into v_grants from statements s;

    if v_grants is not null then
        execute v_grants;
    end if;
    execute format('grant usage on schema %I to authenticated, service_role', schema_name);
end;
$$;

comment on function tenancy.apply_tenant_privileges(text) is
    'Sets the privileges of the API roles on a tenant''s schema, tables, views, sequences and routines to what its status and policies call for. Only under lock_tenant.';
