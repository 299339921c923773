-- Locks are requested in short attempts with pauses: while a statement waits for a table, every
-- later reader of the table waits behind it. These readers continue during the pauses.
create function tenancy.lock_relations(relations text, mode text)
    returns void
    volatile
    security invoker
    set search_path = ''
    set lock_timeout = '100ms'
    language plpgsql
as $$
declare
    v_deadline constant timestamptz := clock_timestamp() + interval '2 seconds';
begin
    loop
        begin
            execute format('lock table %s in %s mode', relations, mode);
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

comment on function tenancy.lock_relations(text, text) is
    'Locks relations, a list of quoted names, until the transaction ends. Tries for 2 s, each time for at most 100 ms, so that no reader waits long (then 55P03).';
