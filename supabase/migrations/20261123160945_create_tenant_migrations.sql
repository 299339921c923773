create function public.get_migration_status()
    returns public.tenant_migration_status
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_latest constant text := tenancy.latest_tenant_version();
    v_status public.tenant_migration_status;
begin
    perform tenancy.require_platform_role('admin');

    v_status.latest_version := v_latest;
    select count(*) into v_status.tenant_count from public.tenants t;
    select count(*) into v_status.behind from public.tenants t where t.schema_version < v_latest;
    v_status.up_to_date := v_status.tenant_count - v_status.behind;
    select count(*) into v_status.failed from tenancy.unfinished_migrations u;

    return v_status;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_migration_status() is
    'The latest tenant migration, and how many tenants have it, lack it, and failed on the way to it. Platform admins. Errors: forbidden, not_authenticated, busy.';

create function public.get_schema_drift(schema_name text)
    returns setof public.schema_difference
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_version text;
begin
    perform tenancy.require_standing(schema_name, platform => 'admin', member => null);

    select t.schema_version into v_version
    from public.tenants t
    where t.schema_name = get_schema_drift.schema_name;

    return query
    select d.*
    from tenancy.schema_differences(
        schema_name,
        v_version,
        array(select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o)
    ) d
    union all
    select 'grant', format('on %s %s to %s', g.object_kind, g.object_name, g.grantee),
        case when g.found is null then 'missing' when g.expected is null then 'extra' else 'different' end,
        g.expected,
        g.found
    from tenancy.misplaced_grants(schema_name) g
    order by 1, 2;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_schema_drift(text) is
    'In what a tenant differs from the reference schema at its version: tables, columns, constraints, indexes, policies, triggers, routines, types, and grants. Its own tables and columns x_… are no difference, their grants are looked at too. Empty if all is well. Platform admins. Errors: tenant_not_found, forbidden, not_authenticated, busy.';

create function public.list_tenants_behind(
    after_schema_name text default null,
    page_size integer default 100
)
    returns setof public.tenant_behind
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_latest constant text := tenancy.latest_tenant_version();
begin
    perform tenancy.require_platform_role('admin');

    return query
    select t.schema_name, t.schema_version, (tenancy.next_migration(t.schema_version)).version,
        tenancy.pending_migrations(t.schema_version), u.sqlstate, u.message, u.failed_at
    from (
        select b.schema_name, b.schema_version
        from public.tenants b
        where b.schema_version < v_latest
            and (after_schema_name is null or b.schema_name > after_schema_name)
        order by b.schema_name
        limit least(greatest(page_size, 1), 1000)
    ) t
    left join tenancy.unfinished_migrations u on u.schema_name = t.schema_name
    order by t.schema_name;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.list_tenants_behind(text, integer) is
    'Tenants that lack tenant migrations, by name, with the reason if the next one has failed; for the next page give the last name as after_schema_name. At most 1,000 a page. Platform admins. Errors: forbidden, not_authenticated, busy.';

create function public.migrate_tenant(schema_name text)
    returns public.tenant_migration_result
    volatile
    security definer
    set search_path = ''
    -- A backfill takes the time it takes; what waits for a lock gives up long before.
    set statement_timeout = '300s'
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
    v_migration tenancy.tenant_migrations;
    v_sqlstate text;
    v_message text;
begin
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => null);

    v_migration := tenancy.next_migration(v_before.schema_version);
    if v_migration.version is null then
        return row(schema_name, 'up_to_date', v_before.schema_version, 0, null, null)::public.tenant_migration_result;
    end if;

    begin
        v_after := tenancy.advance_tenant(v_before, v_migration);
    exception
        when others or query_canceled then
            get stacked diagnostics v_sqlstate = returned_sqlstate, v_message = message_text;
            v_message := left(v_message, 2000);
    end;

    if v_sqlstate is not null then
        insert into tenancy.unfinished_migrations as u
            (schema_name, version, sqlstate, message, failed_at, attempts)
        values (schema_name, v_migration.version, v_sqlstate, v_message, clock_timestamp(), 1)
        on conflict on constraint unfinished_migrations_pkey do update
        set version = excluded.version,
            sqlstate = excluded.sqlstate,
            message = excluded.message,
            failed_at = excluded.failed_at,
            attempts = case when u.version = excluded.version then u.attempts + 1 else 1 end;
        return row(
            schema_name, 'failed', v_migration.version,
            tenancy.pending_migrations(v_before.schema_version), v_sqlstate, v_message
        )::public.tenant_migration_result;
    end if;

    delete from tenancy.unfinished_migrations u where u.schema_name = migrate_tenant.schema_name;
    perform tenancy.log_action(
        'tenant.migrate', v_after,
        jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_after), 'name', v_migration.name)
    );
    perform tenancy.reload_schema_cache();

    return row(
        schema_name, 'migrated', v_after.schema_version,
        tenancy.pending_migrations(v_after.schema_version), null, null
    )::public.tenant_migration_result;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.migrate_tenant(text) is
    'Gives a tenant the next tenant migration it lacks, whole or not at all; suspended ones too, and they stay so. What fails is told as outcome "failed" with SQLSTATE and message, remembered for list_tenants_behind, and can be tried again. Platform admins. Errors: tenant_not_found, forbidden, not_authenticated, busy.';
