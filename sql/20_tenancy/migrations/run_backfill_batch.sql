create function tenancy.run_backfill_batch(
    schema_name text,
    migration tenancy.tenant_migrations,
    backfill tenancy.unfinished_backfills,
    first_block bigint,
    end_block bigint
)
    returns bigint
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_result record;
begin
    select r.row_count, r.places into v_result
    from tenancy.run_backfill_statement(schema_name, migration, backfill.alias, first_block, end_block) r;
    if backfill.alias is not null and v_result.row_count > 0 then
        perform tenancy.require_settled_rows(schema_name, migration, backfill, v_result.places);
    end if;

    return v_result.row_count;
end;
$$;

comment on function tenancy.run_backfill_batch(text, tenancy.tenant_migrations, tenancy.unfinished_backfills, bigint, bigint) is
    'Runs the statement of a backfill for the blocks from the first to before the end, and returns how many rows it has changed. Refuses a statement that would change one of these rows again (55000). Only between the writing of writing_in and its removal, and under lock_tenant.';
