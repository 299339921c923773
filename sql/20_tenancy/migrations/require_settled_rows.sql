-- A changed row may come up again, in a later batch or in the next pass: it has moved to another
-- block. So the statement runs a second time where the rows are now, and is rolled back. It may
-- find rows that others have added meanwhile, but none of those that it has changed.
create function tenancy.require_settled_rows(
    schema_name text,
    migration tenancy.tenant_migrations,
    backfill tenancy.unfinished_backfills,
    places tid[]
)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    -- Reading some blocks in vain costs less than another statement.
    v_gap constant integer := 32;
    v_moved constant text := format(
        'select count(*) from unnest($1) p (place) where not exists (select from only %I.%I t where t.ctid = p.place)',
        schema_name, backfill.table_name
    );
    v_part record;
    v_changed bigint;
    v_moved_before bigint;
    v_moved_after bigint;
begin
    for v_part in
        select min(g.block) as first_block, max(g.block) + 1 as end_block
        from (
            select s.block, count(*) filter (where s.is_first) over (order by s.block) as number
            from (
                select b.block, b.block - lag(b.block) over (order by b.block) > v_gap as is_first
                from (select distinct ((p.place::text::point)[0])::bigint as block from unnest(places) p (place)) b
            ) s
        ) g
        group by g.number
    loop
        v_moved_after := 0;
        begin
            select r.row_count into v_changed
            from tenancy.run_backfill_statement(
                schema_name, migration, backfill.alias, v_part.first_block, v_part.end_block
            ) r;
            if v_changed > 0 then
                execute v_moved into v_moved_after using places;
            end if;
            raise sqlstate 'TN000';
        exception
            when sqlstate 'TN000' then
                null;
        end;
        continue when v_moved_after = 0;

        -- A trigger of the tenant may have moved rows at once.
        execute v_moved into v_moved_before using places;
        if v_moved_after > v_moved_before then
            raise exception 'The backfill would change rows again: % of the % rows that a batch has changed in table "%" fulfil its condition still. The batch was rolled back. Replace the statement by one whose condition is false for a changed row, as "total is null" is; and if the new value may be null, exclude that.',
                v_moved_after - v_moved_before, cardinality(places), backfill.table_name
                using errcode = 'object_not_in_prerequisite_state';
        end if;
    end loop;
end;
$$;

comment on function tenancy.require_settled_rows(text, tenancy.tenant_migrations, tenancy.unfinished_backfills, tid[]) is
    'Refuses a backfill whose statement would change a row again that it has just changed and that is at one of these places (55000).';
