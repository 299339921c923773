create function public.migrate_tenant(schema_name text)
    returns public.tenantry_tenant_migration_result
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- PostgREST sets it before the call. While a migration keeps a table closed, PostgREST cannot
    -- load its schema cache, and nobody is served.
    set statement_timeout = '5s'
    -- A session migrates few tenants, so a generic plan from the first call on saves planning.
    set plan_cache_mode = force_generic_plan
    language plpgsql
as $$
declare
    v_before public.tenants;
    v_after public.tenants;
    v_migration tenancy.tenant_migrations;
    v_backfill tenancy.unfinished_backfills;
    v_rows_done bigint;
    v_rows_left bigint;
    v_sqlstate text;
    v_message text;
    v_details text;
    v_table_name text;
    v_constraint_name text;
begin
    v_before := tenancy.lock_tenant(schema_name, platform => 'admin', member => null, even_pooled => true);

    v_migration := tenancy.next_migration(v_before.schema_version);
    if v_migration.version is null then
        return row(schema_name, 'up_to_date', v_before.schema_version, 0, null, null, null, null, null, null, null)::public.tenantry_tenant_migration_result;
    end if;

    perform tenancy.refresh_catalog_statistics();
    begin
        if v_migration.phase = 'backfill' then
            v_backfill := tenancy.advance_backfill(v_before, v_migration);
        else
            v_after := tenancy.advance_tenant(v_before, v_migration);
        end if;
    exception
        when others or query_canceled then
            get stacked diagnostics
                v_sqlstate = returned_sqlstate,
                v_message = message_text,
                v_details = pg_exception_detail,
                v_table_name = table_name,
                v_constraint_name = constraint_name;
            -- A migration that a suspension cancelled has not failed, nor one that only waited.
            if v_sqlstate in ('57014', '55P03') then
                perform tenancy.require_not_closing(schema_name);
            elsif v_sqlstate = 'PT429' then
                raise;
            end if;
            v_message := tenancy.failure_message(v_sqlstate, v_message, v_details, v_table_name, v_constraint_name);
    end;

    if v_sqlstate is not null then
        -- The earlier batches of a backfill are committed.
        if v_migration.phase = 'backfill' then
            v_rows_done := coalesce((
                select b.rows_done
                from tenancy.unfinished_backfills b
                where b.schema_name = migrate_tenant.schema_name and b.version = v_migration.version
            ), 0);
        end if;
        perform tenancy.record_failed_migration(schema_name, v_migration.version, v_sqlstate, v_message);
        return row(
            schema_name, 'failed', v_migration.version,
            tenancy.pending_migrations(v_before.schema_version), v_sqlstate, v_message, v_migration.name,
            null, v_rows_done, null, null
        )::public.tenantry_tenant_migration_result;
    end if;

    delete from tenancy.unfinished_migrations u where u.schema_name = migrate_tenant.schema_name;
    if v_backfill.next_block < v_backfill.end_block then
        v_rows_left := (v_backfill.end_block - v_backfill.next_block) * v_backfill.rows_a_block;
        return row(
            schema_name, 'in_progress', v_migration.version,
            tenancy.pending_migrations(v_before.schema_version), null, null, v_migration.name,
            v_backfill.pass, v_backfill.rows_done, v_rows_left,
            ceil((v_backfill.end_block - v_backfill.next_block) * v_backfill.seconds_a_block)
        )::public.tenantry_tenant_migration_result;
    elsif v_migration.phase = 'backfill' then
        v_after := tenancy.end_backfill(v_before, v_migration);
    else
        perform tenancy.reload_schema_cache();
    end if;
    perform tenancy.log_action(
        'tenant.migrate', v_after,
        jsonb_build_object('before', to_jsonb(v_before), 'after', to_jsonb(v_after), 'name', v_migration.name)
            || case
                when v_migration.phase = 'backfill' then jsonb_build_object(
                    'rows', v_backfill.rows_done, 'seconds', round(v_backfill.seconds::numeric, 3)
                )
                else '{}'
            end
    );

    return row(
        schema_name, 'migrated', v_after.schema_version,
        tenancy.pending_migrations(v_after.schema_version), null, null, v_migration.name, null, v_backfill.rows_done,
        case v_migration.phase when 'backfill' then 0 end, case v_migration.phase when 'backfill' then 0 end
    )::public.tenantry_tenant_migration_result;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.migrate_tenant(text) is
    'Applies the next pending tenant migration to a tenant, completely or not at all; of a backfill, '
    'batches stay that were done before it failed: rows_done. '
    'It is cancelled after 5 s. Of a backfill a call runs one batch of about a second, and '
    'answers "in_progress" with rows_done, rows_left and seconds_left: repeat the call. '
    'A suspended tenant is migrated too and stays suspended, and so is a tenant of the pool. A '
    'failure is reported as the '
    'outcome "failed" with SQLSTATE and message. list_tenants_behind shows the failure until '
    'a repeated call succeeds. '
    'Callers: platform admin. '
    'Errors: tenant_not_found, forbidden, not_authenticated, busy.';
