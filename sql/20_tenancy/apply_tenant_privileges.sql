-- The one place that grants anything in a tenant; what, tenant_privileges says.
create function tenancy.apply_tenant_privileges(schema_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_roles constant text := 'public, anon, authenticated, service_role';
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
        and exists (select from aclexplode(c.relacl) a where a.grantee <> c.relowner);

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

    -- USAGE on the schema last: until then nothing in it can be reached.
    select string_agg(
        format('grant %s on %s %s to authenticated, service_role;', s.verbs, s.object_kind, s.object_names), ' '
        order by s.object_kind = 'schema'
    )
    into v_grants
    from (
        select p.verbs, p.object_kind, string_agg(p.object_name, ', ') as object_names
        from tenancy.tenant_privileges(schema_name) p
        group by p.verbs, p.object_kind
    ) s;
    if v_grants is not null then
        execute v_grants;
    end if;
end;
$$;

comment on function tenancy.apply_tenant_privileges(text) is
    'Sets the privileges of the API roles on a tenant''s schema, tables, views, sequences and routines to tenant_privileges. Only under lock_tenant.';
