create function tenancy.try_backfill(schema_name text, migration tenancy.tenant_migrations)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_backfill tenancy.unfinished_backfills;
    v_insert text;
    v_try record;
    v_problem text;
begin
    select t.table_name, t.alias into v_backfill.table_name, v_backfill.alias
    from tenancy.backfill_table(schema_name, migration) t;
    v_insert := tenancy.trial_insert(tenancy.require_table(schema_name, v_backfill.table_name), with_nullable => true);
    begin
        select t.* into v_try from tenancy.try_statement(v_insert) t;
        if v_try.code = '23503' then
            perform tenancy.drop_trial_hurdles(schema_name);
            perform tenancy.try_statement(v_insert);
        end if;
        perform tenancy.run_backfill_batch(
            schema_name, migration, v_backfill, 0, tenancy.block_count(schema_name, v_backfill.table_name)
        );
        raise sqlstate 'TN000';
    exception
        when deadlock_detected or lock_not_available then
            raise;
        when others then
            -- Other errors may be due to the made-up values.
            if starts_with(sqlerrm, 'The backfill would change rows again') then
                v_problem := sqlerrm;
            end if;
    end;
    if v_problem is not null then
        raise exception 'Tenant migration % cannot be run in batches. In a trial with one row, this happened: %', migration.version, v_problem
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.try_backfill(text, tenancy.tenant_migrations) is
    'Runs a backfill for a made-up row and rolls that back. Refuses a statement that would change the row again, or that backfill_table refuses (55000). Only in the reference schema.';
