create function tenancy.begin_backfill(schema_name text, migration tenancy.tenant_migrations)
    returns tenancy.unfinished_backfills
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_backfill tenancy.unfinished_backfills;
begin
    select * into v_backfill
    from tenancy.unfinished_backfills b
    where b.schema_name = begin_backfill.schema_name;
    if found and v_backfill.version = migration.version then
        return v_backfill;
    end if;

    delete from tenancy.unfinished_backfills b where b.schema_name = begin_backfill.schema_name;
    select t.table_name, t.alias into v_backfill.table_name, v_backfill.alias
    from tenancy.backfill_table(schema_name, migration) t;
    v_backfill.rows_a_block := tenancy.rows_a_block(schema_name, v_backfill.table_name);
    insert into tenancy.unfinished_backfills as b
        (schema_name, version, table_name, alias, end_block, batch_blocks, rows_a_block)
    values (
        schema_name, migration.version, v_backfill.table_name, v_backfill.alias,
        tenancy.block_count(schema_name, v_backfill.table_name),
        greatest(1, migration.batch / greatest(v_backfill.rows_a_block, 1)),
        v_backfill.rows_a_block
    )
    returning b.* into v_backfill;

    return v_backfill;
end;
$$;

comment on function tenancy.begin_backfill(text, tenancy.tenant_migrations) is
    'How far a tenant is with a backfill, which begins if it has not begun. Only under lock_tenant.';
