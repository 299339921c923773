-- A table is read block by block: that needs no key and no index, and reads nothing twice in a
-- pass, where a search for the rows that are left would read all dead rows before them again.
-- A row that moves or comes meanwhile is found by the next pass.
create function tenancy.advance_backfill(tenant public.tenants, migration tenancy.tenant_migrations)
    returns tenancy.unfinished_backfills
    volatile
    security invoker
    set search_path = ''
    -- A member's transaction may hold a row. The rows of the batch are locked meanwhile.
    set lock_timeout = '500ms'
    language plpgsql
as $$
declare
    v_batch_seconds constant double precision := 0.8;
    v_leftovers constant text[] := tenancy.session_leftovers();
    v_locks constant text[] := tenancy.advisory_locks();
    v_backfill tenancy.unfinished_backfills := tenancy.begin_backfill(tenant.schema_name, migration);
    v_begun constant timestamptz := clock_timestamp();
    v_batch_begun timestamptz;
    v_seconds double precision;
    v_end bigint;
    v_rows bigint;
    v_is_interrupted boolean := false;
begin
    -- Small batches share a call, so that a small tenant passes in one.
    loop
        if v_backfill.next_block >= v_backfill.end_block then
            v_end := tenancy.block_count(tenant.schema_name, v_backfill.table_name);
            -- Others have added what is behind the end, if the pass has changed nothing. Otherwise
            -- most of it are the rows that the backfill itself has changed.
            if v_backfill.rows_done_in_pass = 0 and v_end > v_backfill.end_block then
                v_backfill.end_block := v_end;
            elsif v_backfill.rows_done_in_pass = 0 then
                exit;
            else
                if v_backfill.pass = 1 then
                    v_backfill.rows_done_in_first_pass := v_backfill.rows_done_in_pass;
                end if;
                v_backfill.pass := v_backfill.pass + 1;
                v_backfill.next_block := 0;
                v_backfill.end_block := v_end;
                v_backfill.rows_done_in_pass := 0;
                v_backfill.rows_a_block := tenancy.rows_a_block(tenant.schema_name, v_backfill.table_name);
            end if;
        end if;
        exit when v_is_interrupted or clock_timestamp() >= v_begun + v_batch_seconds * interval '0.5 seconds';

        v_batch_begun := clock_timestamp();
        v_end := least(v_backfill.next_block + v_backfill.batch_blocks, v_backfill.end_block);
        begin
            update tenancy.unfinished_backfills b
            set writing_in = pg_current_xact_id()
            where b.schema_name = tenant.schema_name;
            v_rows := tenancy.run_backfill_batch(tenant.schema_name, migration, v_backfill, v_backfill.next_block, v_end);
            perform tenancy.require_clean_session(migration, v_leftovers, v_locks);
        exception
            when query_canceled or lock_not_available or deadlock_detected then
                perform tenancy.release_session_locks(v_locks);
                perform tenancy.require_not_closing(tenant.schema_name);
                if v_end - v_backfill.next_block <= 1 and sqlstate = '57014' then
                    raise exception 'A batch of one block of table "%" took too long. Another session may hold its rows, or the statement reads too much for each row: it may need an index.', v_backfill.table_name
                        using errcode = 'query_canceled';
                end if;
                v_is_interrupted := true;
                v_backfill.batch_blocks := greatest(1, (v_end - v_backfill.next_block) / 4);
                continue;
            when others then
                perform tenancy.release_session_locks(v_locks);
                raise;
        end;
        v_seconds := extract(epoch from clock_timestamp() - v_batch_begun);
        v_backfill.seconds := v_backfill.seconds + v_seconds;
        v_backfill.seconds_a_block := v_seconds / (v_end - v_backfill.next_block);
        v_backfill.rows_done := v_backfill.rows_done + v_rows;
        v_backfill.rows_done_in_pass := v_backfill.rows_done_in_pass + v_rows;
        perform tenancy.require_end_of_backfill(v_backfill);
        v_backfill.batch_blocks := greatest(1, v_backfill.batch_blocks * least(4, greatest(0.25, v_batch_seconds / v_seconds)));
        v_backfill.next_block := v_end;
    end loop;

    update tenancy.unfinished_backfills b
    set pass = v_backfill.pass,
        next_block = v_backfill.next_block,
        end_block = v_backfill.end_block,
        batch_blocks = v_backfill.batch_blocks,
        rows_a_block = v_backfill.rows_a_block,
        rows_done = v_backfill.rows_done,
        rows_done_in_first_pass = v_backfill.rows_done_in_first_pass,
        rows_done_in_pass = v_backfill.rows_done_in_pass,
        seconds = v_backfill.seconds,
        seconds_a_block = v_backfill.seconds_a_block,
        writing_in = null
    where b.schema_name = tenant.schema_name
    returning b.* into strict v_backfill;

    return v_backfill;
end;
$$;

comment on function tenancy.advance_backfill(public.tenants, tenancy.tenant_migrations) is
    'Runs the next batch of a backfill, of about a second, and returns how far the tenant is; next_block is end_block when nothing is left to do. A batch that is cancelled or meets a locked row changes nothing, and the next one is smaller. Raises if the statement fails or reaches no end. Only under lock_tenant.';
