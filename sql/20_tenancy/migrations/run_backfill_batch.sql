create function tenancy.run_backfill_batch(
    schema_name text,
    migration tenancy.tenant_migrations,
    first_block bigint,
    end_block bigint
)
    returns bigint
    volatile
    security invoker
    set search_path = ''
    -- The same as of apply_tenant_migration.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    language plpgsql
as $$
declare
    v_path constant text := tenancy.tenant_search_path(schema_name);
    v_rows bigint;
begin
    perform set_config('safeupdate.enabled', 'off', true);
    -- The audit triggers look at the row of unfinished_backfills only if this parameter is set.
    -- Alone it means nothing, because everybody may set it.
    if not migration.audit_rows then
        perform set_config('tenancy.backfill', migration.version, true);
    end if;

    perform set_config('search_path', v_path, true);
    -- What backfill_table has examined.
    execute tenancy.single_statement(migration.statements)
    using format('(%s,0)', first_block)::tid, format('(%s,0)', end_block)::tid;
    get diagnostics v_rows = row_count;
    set constraints all immediate;
    perform set_config('search_path', '', true);
    perform set_config('tenancy.backfill', '', true);

    return v_rows;
end;
$$;

comment on function tenancy.run_backfill_batch(text, tenancy.tenant_migrations, bigint, bigint) is
    'Runs the statement of a backfill for the blocks from the first to before the end, and returns how many rows it has changed. Only between the writing of writing_in and its removal, and under lock_tenant.';
