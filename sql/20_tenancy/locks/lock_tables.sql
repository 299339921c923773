create function tenancy.lock_tables(schema_name text, table_names text[], mode text default 'access exclusive')
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.lock_relations(
        -- In one order, so that two transactions that lock the same tables do not deadlock.
        (
            select string_agg(format('%I.%I', schema_name, t.name), ', ' order by t.name collate "C")
            from (select distinct unnest(table_names)) t (name)
        ),
        mode
    );
end;
$$;

comment on function tenancy.lock_tables(text, text[], text) is
    'Locks tables of a tenant until the transaction ends. Tries for 2 s, each time for at most 100 ms, so that no reader waits long (then 55P03).';
