create function tenancy.add_tenant_migration(
    version text,
    name text,
    statements text,
    callable_routines text[] default '{}'
)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_migration tenancy.tenant_migrations;
    v_settings_before jsonb;
    v_external_before text[];
    v_routines_before oid[];
    v_problem text;
    v_unreachable_before text[];
begin
    -- Registrations take turns, so that positions are unique and without gaps. Readers and new
    -- tenants do not wait.
    lock table tenancy.tenant_migrations in share row exclusive mode;

    select * into v_migration
    from tenancy.tenant_migrations m
    where m.version = add_tenant_migration.version;
    if found then
        if v_migration.statements = add_tenant_migration.statements
            and v_migration.callable_routines = add_tenant_migration.callable_routines
        then
            return;
        end if;
        raise exception 'Tenant migration % is registered already, with another text.', version
            using hint = 'Tenants may have received it. Register the change under a new version.';
    end if;
    if statements ~ '\mtenant_template\M' then
        raise exception 'Tenant migration % names the reference schema.', version
            using hint = 'Leave names unqualified: the migration runs once in each tenant.';
    end if;

    insert into tenancy.tenant_migrations (version, position, name, statements, callable_routines)
    values (
        version,
        (select coalesce(max(m.position), 0) + 1 from tenancy.tenant_migrations m),
        name, statements, callable_routines
    )
    returning * into v_migration;

    -- The reference schema gets the migration first: a failure here fails the push, before any
    -- tenant is changed.
    if to_regnamespace('tenant_template') is null then
        create schema tenant_template;
        comment on schema tenant_template is
            'Reference schema: the tenant template after the latest tenant migration. It holds no rows and is never exposed.';
    end if;
    -- apply_tenant_migration switches safeupdate off, too. Here that happens before the settings
    -- are recorded, so that it does not look like a change by the migration.
    perform set_config('safeupdate.enabled', 'off', true);
    v_settings_before := tenancy.session_settings();
    v_external_before := tenancy.external_changes();
    v_routines_before := array(
        select p.oid from pg_catalog.pg_proc p where p.pronamespace = 'tenant_template'::regnamespace
    );
    v_unreachable_before := array(
        select u.table_name from tenancy.unreachable_tables('tenant_template') u
    );
    perform tenancy.apply_tenant_migration('tenant_template', v_migration);

    select string_agg(s.key, ', ' order by s.key) into v_problem
    from jsonb_each(tenancy.session_settings()) s
    where s.value is distinct from v_settings_before -> s.key;
    if v_problem is not null then
        raise exception 'Tenant migration % leaves parameters changed: %.', version, v_problem
            using hint = 'Remove SET from it: other requests use the same session afterwards.';
    end if;
    select string_agg(distinct substring(c.change from '^(.*) \('), ', ') into v_problem
    from unnest(tenancy.external_changes()) c (change)
    where c.change <> all (v_external_before);
    if v_problem is not null then
        raise exception 'Tenant migration % changes objects outside the tenant''s schema: %.', version, v_problem
            using hint = 'The migration runs once in each tenant. Statements that must run once belong before the registration, in the same file.';
    end if;
    select string_agg(r.name, ', ') into v_problem
    from unnest(callable_routines) r (name)
    where not exists (
        select from pg_catalog.pg_proc p
        where p.proname = r.name and p.pronamespace = 'tenant_template'::regnamespace
    );
    if v_problem is not null then
        raise exception 'Tenant migration % declares routines callable that do not exist: %.', version, v_problem
            using hint = 'callable_routines takes names of routines, without arguments.';
    end if;
    -- Callability is by name: an overload would be exposed silently.
    select string_agg(distinct p.proname::text, ', ') into v_problem
    from pg_catalog.pg_proc p
    where p.pronamespace = 'tenant_template'::regnamespace
        and p.oid <> all (v_routines_before)
        and p.proname <> all (callable_routines)
        and exists (
            select from tenancy.tenant_migrations m where p.proname = any (m.callable_routines)
        );
    if v_problem is not null then
        raise exception 'Tenant migration % creates a routine under a name that the API may already call: %.', version, v_problem
            using hint = 'If the API may call this routine too, name it in callable_routines. Otherwise give it another name.';
    end if;
    perform tenancy.require_template_shape();
    perform tenancy.require_append_only_log('tenant_template');

    perform tenancy.apply_tenant_privileges('tenant_template');
    insert into tenancy.tenant_template_objects (version, object_kind, object_name, table_name, definition)
    select version, o.object_kind, o.object_name, o.table_name, o.definition
    from tenancy.schema_objects('tenant_template') o;
    perform tenancy.require_creatable(version);

    for v_problem in
        select format('Tenant migration %s, table "%s": %s', version, u.table_name, u.reason)
        from tenancy.unreachable_tables('tenant_template') u
        where u.table_name <> all (v_unreachable_before)
    loop
        raise warning '%', v_problem;
    end loop;
end;
$$;

comment on function tenancy.add_tenant_migration(text, text, text, text[]) is
    'Adds a tenant migration after all that this database has registered, and applies it to the reference schema. Existing tenants stay as they are, new tenants start with it. One tenant is created and rolled back, to show that tenants can be created. callable_routines names routines that the API may call. Warns of each table that no client can reach any more. Repeating a registration changes nothing; another text under a registered version is refused.';
