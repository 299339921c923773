create function public.migrate_tenant(schema_name text)
    returns public.tenantry_tenant_migration_result
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- A backfill may take long. The wait for a lock ends much earlier.
    set statement_timeout = '300s'
    -- A session migrates few tenants, so a generic plan from the first call on saves planning.
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
    v_migration tenancy.tenant_migrations;
    v_sqlstate text;
    v_message text;
    v_details text;
    v_table_name text;
    v_constraint_name text;
begin
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => null, even_pooled => true);

    v_migration := tenancy.next_migration(v_before.schema_version);
    if v_migration.version is null then
        return row(schema_name, 'up_to_date', v_before.schema_version, 0, null, null)::public.tenantry_tenant_migration_result;
    end if;

    perform tenancy.refresh_catalog_statistics();
    begin
        v_after := tenancy.advance_tenant(v_before, v_migration);
    exception
        when others or query_canceled then
            get stacked diagnostics
                v_sqlstate = returned_sqlstate,
                v_message = message_text,
                v_details = pg_exception_detail,
                v_table_name = table_name,
                v_constraint_name = constraint_name;
            -- A migration that a suspension cancelled has not failed.
            if v_sqlstate = '57014' then
                perform tenancy.require_not_closing(schema_name);
            end if;
            v_message := tenancy.failure_message(v_sqlstate, v_message, v_details, v_table_name, v_constraint_name);
    end;

    if v_sqlstate is not null then
        insert into tenancy.unfinished_migrations as u
            (schema_name, version, sqlstate, message, stuck_since, failed_at, attempts)
        values (schema_name, v_migration.version, v_sqlstate, v_message, clock_timestamp(), clock_timestamp(), 1)
        on conflict on constraint unfinished_migrations_pkey do update
        set version = excluded.version,
            sqlstate = excluded.sqlstate,
            message = excluded.message,
            stuck_since = case when u.version = excluded.version then u.stuck_since else excluded.stuck_since end,
            failed_at = excluded.failed_at,
            attempts = case when u.version = excluded.version then u.attempts + 1 else 1 end;
        return row(
            schema_name, 'failed', v_migration.version,
            tenancy.pending_migrations(v_before.schema_version), v_sqlstate, v_message
        )::public.tenantry_tenant_migration_result;
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
    )::public.tenantry_tenant_migration_result;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.migrate_tenant(text) is
    'Applies the next pending tenant migration to a tenant, completely or not at all. '
    'A suspended tenant is migrated too and stays suspended, and so is a tenant of the pool. A failure is reported as the '
    'outcome "failed" with SQLSTATE and message. list_tenants_behind shows the failure until '
    'a repeated call succeeds. '
    'Callers: platform admin. '
    'Errors: tenant_not_found, forbidden, not_authenticated, busy.';
