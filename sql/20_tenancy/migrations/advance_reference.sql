-- A migration reaches the reference schema when it is registered, and again when an earlier
-- migration was withdrawn or replaced.
create function tenancy.advance_reference(migration tenancy.tenant_migrations)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_settings_before jsonb;
    v_external_before text[];
    v_routines_before oid[];
    v_relations_before oid[];
    v_problem text;
    v_unreachable_before text[];
begin
    perform tenancy.make_reference();
    -- apply_tenant_migration switches safeupdate off, too. Here that happens before the settings
    -- are recorded, so that it does not look like a change by the migration.
    perform set_config('safeupdate.enabled', 'off', true);
    v_settings_before := tenancy.session_settings();
    v_external_before := tenancy.external_changes();
    v_routines_before := array(
        select p.oid from pg_catalog.pg_proc p where p.pronamespace = 'tenant_template'::regnamespace
    );
    v_relations_before := array(
        select c.oid from pg_catalog.pg_class c where c.relnamespace = 'tenant_template'::regnamespace
    );
    v_unreachable_before := array(
        select u.table_name from tenancy.unreachable_tables('tenant_template') u
    );
    perform tenancy.open_reference((
        select m.version
        from tenancy.tenant_migrations m
        where m.position < migration.position
        order by m.position desc
        limit 1
    ));
    perform tenancy.apply_tenant_migration('tenant_template', migration);
    -- First, because a foreign key that leaves the schema also marks the other table as changed.
    perform tenancy.require_template_shape();

    select string_agg(s.key, ', ' order by s.key) into v_problem
    from jsonb_each(tenancy.session_settings()) s
    where s.value is distinct from v_settings_before -> s.key;
    if v_problem is not null then
        raise exception 'Tenant migration % leaves parameters changed: %.', migration.version, v_problem
            using hint = 'Remove SET from it: other requests use the same session afterwards.';
    end if;
    select string_agg(distinct substring(c.change from '^(.*) \('), ', ') into v_problem
    from unnest(tenancy.external_changes()) c (change)
    where c.change <> all (v_external_before);
    if v_problem is not null then
        raise exception 'Tenant migration % changes objects outside the tenant''s schema: %.', migration.version, v_problem
            using hint = 'The migration runs once in each tenant. Statements that must run once belong before the registration, in the same file.';
    end if;
    select string_agg(r.name, ', ') into v_problem
    from unnest(migration.callable_routines) r (name)
    where not exists (
        select from pg_catalog.pg_proc p
        where p.proname = r.name and p.pronamespace = 'tenant_template'::regnamespace
    );
    if v_problem is not null then
        raise exception 'Tenant migration % declares routines callable that do not exist: %.', migration.version, v_problem
            using hint = 'callable_routines takes names of routines, without arguments.';
    end if;
    -- Callability is by name: an overload would be exposed silently.
    select string_agg(distinct p.proname::text, ', ') into v_problem
    from pg_catalog.pg_proc p
    where p.pronamespace = 'tenant_template'::regnamespace
        and p.oid <> all (v_routines_before)
        and p.proname <> all (migration.callable_routines)
        and exists (
            select
            from tenancy.tenant_migrations m
            where m.position <= migration.position and p.proname = any (m.callable_routines)
        );
    if v_problem is not null then
        raise exception 'Tenant migration % creates a routine under a name that the API may already call: %.', migration.version, v_problem
            using hint = 'If the API may call this routine too, name it in callable_routines. Otherwise give it another name.';
    end if;
    perform tenancy.require_append_only_log('tenant_template');

    perform tenancy.require_keepable_grants(migration);
    perform tenancy.record_limits(migration, v_relations_before || v_routines_before);
    perform tenancy.close_reference();
    insert into tenancy.tenant_template_objects (version, object_kind, object_name, table_name, definition)
    select migration.version, o.object_kind, o.object_name, o.table_name, o.definition
    from tenancy.schema_objects('tenant_template') o;

    for v_problem in
        select format('Tenant migration %s, table "%s": %s', migration.version, u.table_name, u.reason)
        from tenancy.unreachable_tables('tenant_template') u
        where u.table_name <> all (v_unreachable_before)
    loop
        raise warning '%', v_problem;
    end loop;
end;
$$;

comment on function tenancy.advance_reference(tenancy.tenant_migrations) is
    'Applies a registered tenant migration to the reference schema, refuses what a tenant migration must not do, and records the objects of the reference schema at this version. Warns of each table that no client can reach any more.';
