create function tenancy.require_end_of_backfill(backfill tenancy.unfinished_backfills)
    returns void
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    if backfill.pass > 1 and backfill.rows_done_in_pass >= greatest(1000, backfill.rows_done_in_first_pass / 2)
        or backfill.pass > 20
    then
        raise exception 'The backfill reaches no end: pass % over table "%" has changed % rows again. Replace its statement by one whose condition is false for a changed row, and let the application or a default fill new rows.', backfill.pass, backfill.table_name, backfill.rows_done_in_pass
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.require_end_of_backfill(tenancy.unfinished_backfills) is
    'Refuses a backfill whose later passes change as many rows as half of the first, or which has more than 20 passes (55000).';
