create function tenancy.seal_audit_log(schema_name text, at_most interval default '20 s')
    returns public.tenantry_audit_seal
    volatile
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    -- A sort would hash every entry before the first one is sealed.
    set enable_sort = off
    language plpgsql
as $$
declare
    v_log constant regclass := tenancy.find_audit_log(schema_name);
    v_started_at constant timestamptz := clock_timestamp();
    v_sealed_up_to bigint;
    v_previous tenancy.audit_seals;
    v_run tenancy.audit_seal_runs;
    v_oldest_running xid8;
    v_last_entry_id bigint;
    v_last_id_of_runs bigint;
    v_entry record;
    v_place bigint;
    v_hash bytea;
    v_lasting_hash bytea;
    v_horizon xid;
begin
    -- One run at a time. Writers of the log do not take this lock.
    perform pg_advisory_xact_lock(hashtextextended('tenancy.audit_seals.' || schema_name, 0));

    select * into v_previous
    from tenancy.audit_seals s
    where s.schema_name = seal_audit_log.schema_name
    order by s.place desc
    limit 1;
    select * into v_run
    from tenancy.audit_seal_runs r
    where r.schema_name = seal_audit_log.schema_name
    order by r.place desc
    limit 1;
    -- Every entry up to here is sealed: the transactions that were running at that earlier run
    -- had ended by the latest run, which went at least this far.
    select
        least(coalesce(max(r.last_entry_id) filter (where r.horizon <= v_run.oldest_running), 0), coalesce(v_run.last_entry_id, 0)),
        coalesce(max(r.last_entry_id), 0)
    into v_sealed_up_to, v_last_id_of_runs
    from tenancy.audit_seal_runs r
    where r.schema_name = seal_audit_log.schema_name;

    v_place := coalesce(v_previous.place, 0);
    v_hash := coalesce(v_previous.hash, '');
    v_lasting_hash := coalesce(v_previous.lasting_hash, '');
    for v_entry in
        execute format(
            'select e.id, %s as entry_hash, %s as is_lasting,'
            '     pg_snapshot_xmin(pg_current_snapshot()) as oldest_running'
            ' from %s e'
            ' where e.id > $1'
            -- Only entries of transactions before the oldest running one: none can still commit.
            '     and tenancy.full_transaction_id(e.xmin) < pg_snapshot_xmin(pg_current_snapshot())'
            -- An entry that was inserted among older ones after a run must not be sealed.
            '     and (e.id > $2 or not exists ('
            '         select from tenancy.audit_seal_runs r'
            '         where r.schema_name = $3'
            '             and r.last_entry_id >= e.id'
            '             and tenancy.full_transaction_id(e.xmin) > r.horizon'
            '     ))'
            '     and not exists ('
            '         select from tenancy.audit_seals s where s.schema_name = $3 and s.entry_id = e.id'
            '     )'
            ' order by e.id',
            tenancy.audit_entry_hash(schema_name), tenancy.lasting_entry(schema_name), v_log
        )
        using v_sealed_up_to, v_last_id_of_runs, schema_name
    loop
        v_oldest_running := v_entry.oldest_running;
        v_place := v_place + 1;
        v_hash := sha256(v_hash || v_entry.entry_hash);
        if v_entry.is_lasting then
            v_lasting_hash := sha256(v_lasting_hash || v_entry.entry_hash);
        end if;
        insert into tenancy.audit_seals
            (schema_name, place, entry_id, entry_hash, hash, is_lasting, lasting_hash)
        values (
            schema_name, v_place, v_entry.id, v_entry.entry_hash, v_hash, v_entry.is_lasting,
            v_lasting_hash
        );
        -- Members can write more entries than one call can seal. A call that ran out of time would
        -- seal none, and so would each later call.
        if clock_timestamp() >= v_started_at + at_most then
            v_last_entry_id := v_entry.id;
            exit;
        end if;
    end loop;

    if v_oldest_running is not null then
        -- A transaction that has an entry id up to this one already had its transaction id. The
        -- block with an exception clause is a subtransaction, which gets its own id with its
        -- first write. So this id is higher than the ids of all those transactions.
        v_last_entry_id := coalesce(v_last_entry_id, tenancy.last_entry_id(v_log));
        begin
            insert into tenancy.audit_seal_runs
                (schema_name, place, oldest_running, last_entry_id, horizon, hash, lasting_hash)
            values (
                schema_name, v_place, v_oldest_running, v_last_entry_id, '0', v_hash,
                v_lasting_hash
            )
            returning xmin into v_horizon;
        exception
            when assert_failure then raise;
        end;
        update tenancy.audit_seal_runs r
        set horizon = tenancy.full_transaction_id(v_horizon)
        where r.schema_name = seal_audit_log.schema_name and r.place = v_place;
    end if;

    return row(
        v_place - coalesce(v_previous.place, 0), v_place,
        nullif(tenancy.audit_head(v_hash, v_lasting_hash), '')
    )::public.tenantry_audit_seal;
end;
$$;

comment on function tenancy.seal_audit_log(text, interval) is
    'Adds entries of a log to its hash chain, in the order of their ids: every entry of a transaction that began before the oldest running one, until at_most has passed. Later entries wait for the next run.';
