create function tenancy.run_backfill_statement(
    schema_name text,
    migration tenancy.tenant_migrations,
    alias text,
    first_block bigint,
    end_block bigint,
    out row_count bigint,
    out places tid[]
)
    volatile
    security invoker
    set search_path = ''
    -- The same as of apply_tenant_migration.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    language plpgsql
as $$
begin
    perform set_config('safeupdate.enabled', 'off', true);
    -- The audit triggers look at the row of unfinished_backfills only if this parameter is set.
    -- Alone it means nothing, because everybody may set it.
    if not migration.audit_rows then
        perform set_config('tenancy.backfill', migration.version, true);
    end if;

    perform set_config('search_path', tenancy.tenant_search_path(schema_name), true);
    execute format(
        E'with backfill as (%s\n returning %s as place) select count(*), array_agg(b.place) from backfill b',
        tenancy.single_statement(migration.statements), coalesce(quote_ident(alias) || '.ctid', 'null::tid')
    )
    into row_count, places
    using format('(%s,0)', first_block)::tid, format('(%s,0)', end_block)::tid;
    set constraints all immediate;
    perform set_config('search_path', '', true);
    perform set_config('tenancy.backfill', '', true);
end;
$$;

comment on function tenancy.run_backfill_statement(text, tenancy.tenant_migrations, text, bigint, bigint) is
    'Runs the statement of a backfill for the blocks from the first to before the end. Returns how many rows it has changed and, of an UPDATE, where they are now.';
