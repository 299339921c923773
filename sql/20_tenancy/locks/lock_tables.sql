-- Locks are requested in short attempts with pauses: while a statement waits for a table, every
-- later reader of the table waits behind it. These readers continue during the pauses.
create function tenancy.lock_tables(schema_name text, table_names text[], mode text default 'access exclusive')
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_deadline constant timestamptz := clock_timestamp() + interval '2 seconds';
    -- In one order, so that two transactions that lock the same tables do not deadlock.
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
                if clock_timestamp() >= v_deadline then
                    raise;
                end if;
        end;
        perform pg_sleep(0.02 + random() * 0.03);
    end loop;
end;
$$;

comment on function tenancy.lock_tables(text, text[], text) is
    'Locks tables of a tenant until the transaction ends. Tries for 2 s, each time for at most 100 ms, so that no reader waits long (then 55P03).';
