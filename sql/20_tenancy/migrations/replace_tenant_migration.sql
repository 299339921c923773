-- Tenants that have the old text keep it. So wherever such a tenant stands, the new text must
-- lead to the same objects, or the tenant would differ from the reference schema.
create function tenancy.replace_tenant_migration(
    version text,
    statements text,
    callable_routines text[] default null
)
    returns tenancy.tenant_migrations
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration constant tenancy.tenant_migrations := tenancy.lock_tenant_migration(version);
    v_holders constant text[] := tenancy.tenants_with(v_migration);
    v_before tenancy.tenant_template_objects[];
    v_limits_before tenancy.tenant_template_limits[];
    v_problem text;
    v_after tenancy.tenant_migrations;
begin
    perform tenancy.require_statements(version, statements);
    v_before := array(
        select row(o.*)::tenancy.tenant_template_objects
        from tenancy.tenant_template_objects o
        join tenancy.tenant_migrations m on m.version = o.version
        where m.position >= v_migration.position
            and exists (select from public.tenants t where t.schema_version = o.version)
    );
    v_limits_before := array(
        select row(l.*)::tenancy.tenant_template_limits
        from tenancy.tenant_template_limits l
        join tenancy.tenant_migrations m on m.version = l.version
        where m.position >= v_migration.position
            and exists (select from public.tenants t where t.schema_version = l.version)
    );

    update tenancy.tenant_migrations m
    set statements = replace_tenant_migration.statements,
        callable_routines = coalesce(replace_tenant_migration.callable_routines, m.callable_routines)
    where m.version = v_migration.version
    returning m.* into v_after;
    -- An index of the same name is built anew wherever it differs.
    if v_migration.phase = 'index' and tenancy.index_name(v_after) <> tenancy.index_name(v_migration) then
        perform tenancy.require_no_leftover_index(v_migration, 'replaced by an index of another name');
    end if;
    delete from tenancy.unfinished_migrations u where u.version = v_migration.version;
    delete from tenancy.unfinished_backfills b where b.version = v_migration.version;
    perform tenancy.rebuild_reference(v_migration.position);

    select string_agg(distinct d.difference, ', ' order by d.difference) into v_problem
    from (
        select coalesce(b.object_kind || ' ' || b.object_name, a.object_kind || ' ' || a.object_name) as difference
        from unnest(v_before) b
        full join (
            select o.*
            from tenancy.tenant_template_objects o
            where o.version in (select t.schema_version from public.tenants t)
                and o.version in (
                    select m.version from tenancy.tenant_migrations m where m.position >= v_migration.position
                )
        ) a
            on a.version = b.version and a.object_kind = b.object_kind and a.object_name = b.object_name
        where a.definition is distinct from b.definition
        union all
        select format('%s on %s %s', coalesce(a.privilege, b.privilege), coalesce(a.object_kind, b.object_kind), coalesce(a.object_name, b.object_name))
        from unnest(v_limits_before) b
        full join (
            select l.*
            from tenancy.tenant_template_limits l
            where l.version in (select t.schema_version from public.tenants t)
                and l.version in (
                    select m.version from tenancy.tenant_migrations m where m.position >= v_migration.position
                )
        ) a
            on a.version = b.version and a.object_kind = b.object_kind and a.object_name = b.object_name
                and a.grantee = b.grantee and a.privilege = b.privilege
        where a.columns is distinct from b.columns
        union all
        -- Who may call a routine follows from this list, for every tenant that has the migration.
        select 'callable routines'
        where cardinality(v_holders) > 0
            and replace_tenant_migration.callable_routines is distinct from v_migration.callable_routines
            and replace_tenant_migration.callable_routines is not null
    ) d;
    if v_problem is not null then
        raise exception 'Tenant migration "%" cannot be replaced by this text: % received the old one, such as "%", and would differ from the template: %. First register a migration that leads from both texts to the same objects, and migrate these tenants.',
            version,
            case cardinality(v_holders) when 1 then 'one tenant has' else cardinality(v_holders) || ' tenants have' end,
            v_holders[1], tenancy.one_line(v_problem)
            using errcode = 'PT409', detail = 'migration_received',
                hint = 'Nothing was changed. First register a migration that leads from both texts to the same objects, and migrate these tenants.';
    end if;

    return v_migration;
end;
$$;

comment on function tenancy.replace_tenant_migration(text, text, text[]) is
    'Replaces the text of a tenant migration for the tenants that lack it, builds the reference schema again, and returns the migration as it was. Refused if a tenant that has the old text would differ from the template at its version. Without callable_routines the list stays. (PT404 migration_not_found, PT409 migration_received, PT422: invalid_request, migration_refused; 55P03.)';
