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
    v_parameters jsonb;
    v_leftovers text[];
    v_advisory_locks text[];
    v_changes text[];
    v_locks text[];
    v_objects refcursor;
    v_routines_before oid[];
    v_relations_before oid[];
    v_problem text;
    v_unreachable_before text[];
    v_sqlstate text;
    v_message text;
    v_details text;
    v_hint text;
    v_context text;
begin
    perform tenancy.require_migration_text(migration);
    perform tenancy.make_reference();
    if migration.phase = 'backfill' then
        perform tenancy.try_backfill('tenant_template', migration);
    elsif migration.phase = 'index' then
        perform tenancy.index_name(migration);
    end if;
    -- apply_tenant_migration switches safeupdate off, too. Here that happens before the settings
    -- are recorded, so that it does not look like a change by the migration.
    perform set_config('safeupdate.enabled', 'off', true);
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

    v_parameters := tenancy.session_parameters(migration.statements);
    v_leftovers := tenancy.session_leftovers();
    v_advisory_locks := tenancy.advisory_locks();
    v_changes := tenancy.external_changes();
    v_locks := tenancy.external_locks();
    -- The cursor sees the catalog as it is now, and reads it only if something has been dropped.
    open v_objects for select o.* from tenancy.present_objects() o;
    begin
        perform tenancy.apply_tenant_migration('tenant_template', migration);
    exception
        when deadlock_detected or lock_not_available then
            raise;
        when others then
            get stacked diagnostics
                v_sqlstate = returned_sqlstate,
                v_message = message_text,
                v_details = pg_exception_detail,
                v_hint = pg_exception_hint,
                v_context = pg_exception_context;
            perform tenancy.release_session_locks(v_advisory_locks);
            -- The Supabase CLI prints only the message.
            raise exception 'Tenant migration % failed: %', migration.version, concat_ws(
                    ' ',
                    rtrim(v_message, '.') || '.',
                    rtrim(nullif(v_details, ''), '.') || '.',
                    coalesce(nullif(tenancy.statement_advice(v_sqlstate, v_message), ''), nullif(v_hint, ''))
                )
                using errcode = v_sqlstate, detail = left(v_context, 2000);
    end;

    -- First, because a foreign key that leaves the schema also marks the other table as changed.
    perform tenancy.require_template_shape();
    perform tenancy.require_kept_parameters(migration, v_parameters);
    perform tenancy.require_clean_session(migration, v_leftovers, v_advisory_locks);
    perform tenancy.require_unchanged_outside(migration, v_changes, v_locks, v_objects);
    close v_objects;
    select string_agg(r.name, ', ') into v_problem
    from unnest(migration.callable_routines) r (name)
    where not exists (
        select from pg_catalog.pg_proc p
        where p.proname = r.name and p.pronamespace = 'tenant_template'::regnamespace
    );
    if v_problem is not null then
        raise exception 'Tenant migration % declares routines callable that do not exist: %. The fourth argument takes names of routines that the migration creates, without schema and arguments.', migration.version, v_problem;
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
        raise exception 'Tenant migration % creates a routine under a name that the API may already call: %. If the API may call this routine too, name it in the fourth argument. Otherwise give it another name.', migration.version, v_problem;
    end if;
    perform tenancy.require_closed_policies();
    perform tenancy.require_append_only_log('tenant_template');

    perform tenancy.require_executable_routines();

    perform tenancy.require_keepable_grants(migration);
    perform tenancy.require_effective_revokes(migration);
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
