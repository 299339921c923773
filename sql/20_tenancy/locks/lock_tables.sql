-- A statement that waits for a table makes every later reader wait behind it. So nobody
-- waits long: short attempts, with the line behind them let through in between.
create function tenancy.lock_tables(schema_name text, table_names text[], mode text default 'access exclusive')
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_give_up constant timestamptz := clock_timestamp() + interval '2 seconds';
    -- In one order, so that two who lock the same tables do not deadlock.
    v_tables constant text := (
        select string_agg(format('%I.%I', schema_name, t.name), ', ' order by t.name collate "C")
        from (select distinct unnest(table_names)) t (name)
    );
begin
    loop
        begin
            execute format('lock table %s in %s mode', v_tables, mode);
            return;
        exception
            when lock_not_available then
                if clock_timestamp() >= v_give_up then
                    raise;
                end if;
        end;
        perform pg_sleep(0.02 + random() * 0.03);
    end loop;
end;
$$;

comment on function tenancy.lock_tables(text, text[], text) is
    'Locks tables of a tenant until the transaction ends, in attempts of at most 100 ms for 2 s (then 55P03), so that readers never queue up for long.';
