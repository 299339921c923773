create function tenancy.audit_log_of(schema_name text)
    returns regclass
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return case
        when schema_name = 'public' then 'public.admin_audit_log'::regclass
        else format('%I.audit_log', schema_name)::regclass
    end;
end;
$$;

comment on function tenancy.audit_log_of(text) is
    'The audit log in a schema: a tenant''s, or the platform''s in public.';

create function tenancy.audit_entry_columns(schema_name text)
    returns text
    immutable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- Written out, because a column added later must not change old hashes.
    return case
        when schema_name = 'public' then
            'e.id, e.occurred_at, e.actor_id, e.actor_role, e.action, e.schema_name, e.tenant_id, e.details, e.request_id'
        else
            'e.id, e.occurred_at, e.actor_id, e.actor_role, e.action, e.table_name, e.record_id, e.old_values, e.new_values'
    end;
end;
$$;

comment on function tenancy.audit_entry_columns(text) is
    'What of an entry is sealed, as a select list over the alias e.';

create function tenancy.last_entry_id(log regclass)
    returns bigint
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_last bigint;
begin
    execute format(
        'select case when s.is_called then s.last_value else 0 end from %s s',
        pg_get_serial_sequence(log::text, 'id')
    )
    into v_last;

    return v_last;
end;
$$;

comment on function tenancy.last_entry_id(regclass) is 'The highest id that a log has handed out so far.';

create function tenancy.seal_audit_log(schema_name text)
    returns public.audit_seal
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    language plpgsql
as $$
declare
    v_log constant regclass := tenancy.audit_log_of(schema_name);
    v_floor bigint;
    v_previous tenancy.audit_seals;
    v_run tenancy.audit_seal_runs;
    v_oldest_running xid8;
    v_last_entry_id bigint;
    v_entry record;
    v_place bigint;
    v_hash bytea;
    v_horizon xid;
    v_entry_hash bytea;
begin
    -- Sealers take turns; writers of the log never meet this lock.
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
    -- Up to here everything is sealed: whoever was running at that run had finished by the
    -- latest one.
    select coalesce(max(r.last_entry_id), 0) into v_floor
    from tenancy.audit_seal_runs r
    where r.schema_name = seal_audit_log.schema_name and r.horizon <= v_run.oldest_running;

    v_place := coalesce(v_previous.place, 0);
    v_hash := coalesce(v_previous.hash, '');
    for v_entry in
        execute format(
            'select e.id, jsonb_build_array(%s)::text as content, pg_snapshot_xmin(pg_current_snapshot()) as oldest_running'
            ' from %s e'
            ' where e.id > $1'
            -- Below the oldest running transaction: nobody can still commit among these.
            '     and tenancy.full_xid(e.xmin) < pg_snapshot_xmin(pg_current_snapshot())'
            -- What was slipped in behind the last run is not to be blessed.
            '     and (e.id > $2 or tenancy.full_xid(e.xmin) < $3)'
            '     and not exists ('
            '         select from tenancy.audit_seals s where s.schema_name = $4 and s.entry_id = e.id'
            '     )'
            ' order by e.id',
            tenancy.audit_entry_columns(schema_name), v_log
        )
        using v_floor, coalesce(v_run.last_entry_id, 0), v_run.horizon, schema_name
    loop
        v_oldest_running := v_entry.oldest_running;
        v_place := v_place + 1;
        v_entry_hash := sha256(convert_to(v_entry.content, 'UTF8'));
        v_hash := sha256(v_hash || v_entry_hash);
        insert into tenancy.audit_seals (schema_name, place, entry_id, entry_hash, hash)
        values (schema_name, v_place, v_entry.id, v_entry_hash, v_hash);
    end loop;

    if v_oldest_running is not null then
        -- Whoever has an entry id up to this one got a transaction number before it. The
        -- block is a subtransaction: it gets its own number with its first write, so that
        -- one is higher than all of theirs.
        v_last_entry_id := tenancy.last_entry_id(v_log);
        begin
            insert into tenancy.audit_seal_runs
                (schema_name, place, oldest_running, last_entry_id, horizon)
            values (schema_name, v_place, v_oldest_running, v_last_entry_id, '0')
            returning xmin into v_horizon;
        exception
            when assert_failure then raise;
        end;
        update tenancy.audit_seal_runs r
        set horizon = tenancy.full_xid(v_horizon)
        where r.schema_name = seal_audit_log.schema_name and r.place = v_place;
    end if;

    return row(
        v_place - coalesce(v_previous.place, 0), v_place, nullif(encode(v_hash, 'hex'), '')
    )::public.audit_seal;
end;
$$;

comment on function tenancy.seal_audit_log(text) is
    'Adds to the chain every entry of a log that can no longer get company from a running transaction.';

create function tenancy.verify_audit_log(schema_name text, expected_head text)
    returns public.audit_verification
    stable
    security definer
    set search_path = ''
    set timezone = 'UTC'
    language plpgsql
as $$
declare
    v_log constant regclass := tenancy.audit_log_of(schema_name);
    v_link record;
    v_hash bytea := '';
    v_next_place bigint;
    v_checked bigint := 0;
    v_head_found boolean := expected_head is null;
    v_inserted bigint;
begin
    for v_link in
        execute format(
            'select s.*, e.id as found_id, sha256(convert_to(jsonb_build_array(%s)::text, ''UTF8'')) as found_hash'
            ' from tenancy.audit_seals s'
            ' left join %s e on e.id = s.entry_id'
            ' where s.schema_name = $1'
            ' order by s.place',
            tenancy.audit_entry_columns(schema_name), v_log
        )
        using schema_name
    loop
        if v_link.is_anchor and v_checked = 0 then
            v_hash := v_link.hash;
        else
            if v_link.found_id is null then
                return row(false, v_checked, encode(v_hash, 'hex'), 'removed', v_link.entry_id)::public.audit_verification;
            end if;
            if v_link.found_hash <> coalesce(v_link.redacted_hash, v_link.entry_hash) then
                return row(false, v_checked, encode(v_hash, 'hex'), 'changed', v_link.entry_id)::public.audit_verification;
            end if;
            v_hash := sha256(v_hash || v_link.entry_hash);
            v_checked := v_checked + 1;
        end if;
        if v_link.hash <> v_hash or v_link.place <> coalesce(v_next_place, v_link.place)
            or (v_next_place is null and v_link.place <> 1 and not v_link.is_anchor)
        then
            return row(false, v_checked, encode(v_hash, 'hex'), 'seal_changed', v_link.entry_id)::public.audit_verification;
        end if;
        v_next_place := v_link.place + 1;
        v_head_found := v_head_found or encode(v_hash, 'hex') = lower(expected_head);
    end loop;

    -- An entry that is not sealed although its id was handed out before a run, written by a
    -- transaction that began after it: nobody's clock and nobody's lateness explains that.
    execute format(
        'select min(e.id)'
        ' from %s e'
        ' where not exists ('
        '         select from tenancy.audit_seals s where s.schema_name = $1 and s.entry_id = e.id'
        '     )'
        '     and exists ('
        '         select from tenancy.audit_seal_runs r'
        '         where r.schema_name = $1'
        '             and r.last_entry_id >= e.id'
        '             and tenancy.full_xid(e.xmin) > r.horizon'
        '     )',
        v_log
    )
    into v_inserted
    using schema_name;
    if v_inserted is not null then
        return row(false, v_checked, encode(v_hash, 'hex'), 'inserted', v_inserted)::public.audit_verification;
    end if;

    if not v_head_found then
        return row(false, v_checked, nullif(encode(v_hash, 'hex'), ''), 'head_not_found', null)::public.audit_verification;
    end if;

    return row(true, v_checked, nullif(encode(v_hash, 'hex'), ''), null, null)::public.audit_verification;
end;
$$;

comment on function tenancy.verify_audit_log(text, text) is
    'Recomputes a log''s chain and names the first entry that does not fit.';

create function tenancy.prune_audit_log(schema_name text, before timestamptz)
    returns public.audit_pruning
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_log constant regclass := tenancy.audit_log_of(schema_name);
    v_place bigint;
    v_removed bigint;
    v_head text;
begin
    -- What is not sealed yet is too young to go.
    perform tenancy.seal_audit_log(schema_name);

    -- The chain can only lose its beginning: everything up to the first entry to be kept.
    execute format(
        'select coalesce('
        '    (select min(s.place) - 1 from tenancy.audit_seals s join %1$s e on e.id = s.entry_id'
        '     where s.schema_name = $1 and e.occurred_at >= $2),'
        '    (select max(s.place) from tenancy.audit_seals s where s.schema_name = $1)'
        ')',
        v_log
    )
    into v_place
    using schema_name, before;

    perform set_config('tenancy.maintaining', v_log::text, true);
    execute format(
        'delete from %s e using tenancy.audit_seals s'
        ' where s.schema_name = $1 and s.place <= $2 and s.entry_id = e.id',
        v_log
    )
    using schema_name, v_place;
    get diagnostics v_removed = row_count;
    perform set_config('tenancy.maintaining', '', true);

    delete from tenancy.audit_seals s
    where s.schema_name = prune_audit_log.schema_name and s.place < v_place;
    update tenancy.audit_seals s
    set is_anchor = true
    where s.schema_name = prune_audit_log.schema_name and s.place = v_place
    returning encode(s.hash, 'hex') into v_head;

    return row(schema_name, v_removed, v_head)::public.audit_pruning;
end;
$$;

comment on function tenancy.prune_audit_log(text, timestamptz) is
    'Removes the sealed entries of a log before a moment; the last link stays as the anchor of the rest of the chain.';

create function tenancy.redact_audit_log(schema_name text, user_id uuid)
    returns bigint
    volatile
    security definer
    set search_path = ''
    set timezone = 'UTC'
    language plpgsql
as $$
declare
    v_redacted bigint;
begin
    perform tenancy.seal_audit_log(schema_name);

    -- The chain keeps the hash of what was there; what is there now gets one of its own, so
    -- that it cannot be changed again unnoticed.
    perform set_config('tenancy.maintaining', tenancy.audit_log_of(schema_name)::text, true);
    execute format(
        'with redacted as ('
        '    update %1$I.audit_log e set old_values = null, new_values = null'
        '    from tenancy.audit_seals s'
        '    where s.schema_name = $1 and s.entry_id = e.id and s.redacted_hash is null'
        '        and e.table_name = ''users'' and e.record_id ->> ''id'' = $2::text'
        '    returning %2$s'
        ')'
        ' update tenancy.audit_seals s'
        ' set redacted_hash = sha256(convert_to(jsonb_build_array(%2$s)::text, ''UTF8''))'
        ' from redacted e'
        ' where s.schema_name = $1 and s.entry_id = e.id',
        schema_name, tenancy.audit_entry_columns(schema_name)
    )
    using schema_name, user_id;
    get diagnostics v_redacted = row_count;
    perform set_config('tenancy.maintaining', '', true);

    return v_redacted;
end;
$$;

comment on function tenancy.redact_audit_log(text, uuid) is
    'Takes the values of a person''s profile out of the sealed entries of a tenant''s log; how many lost theirs.';

create function tenancy.forget_audit_log(schema_name text)
    returns public.audit_seal
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_seal public.audit_seal;
begin
    -- Nobody writes any more, so that the head really is the last one.
    perform tenancy.lock_tables(schema_name, array['audit_log']);
    v_seal := tenancy.seal_audit_log(schema_name);

    delete from tenancy.audit_seals s where s.schema_name = forget_audit_log.schema_name;
    delete from tenancy.audit_seal_runs r where r.schema_name = forget_audit_log.schema_name;

    return v_seal;
end;
$$;

comment on function tenancy.forget_audit_log(text) is
    'The final seal of a tenant that is about to be destroyed, and the end of its chain.';

create function tenancy.audit_entries(
    schema_name text,
    actor_id uuid,
    action text,
    table_name text,
    record_id jsonb,
    occurred_from timestamptz,
    occurred_to timestamptz,
    before_id bigint,
    page_size integer
)
    returns setof public.audit_entry
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return query execute format(
        'select e.id, e.occurred_at, e.actor_id, e.actor_role, e.action, e.table_name, e.record_id, e.old_values, e.new_values'
        ' from %I.audit_log e'
        ' where ($1 is null or e.actor_id = $1)'
        '     and ($2 is null or e.action = $2)'
        '     and ($3 is null or e.table_name = $3)'
        '     and ($4 is null or e.record_id @> $4)'
        '     and ($5 is null or e.occurred_at >= $5)'
        '     and ($6 is null or e.occurred_at < $6)'
        '     and ($7 is null or e.id < $7)'
        ' order by e.id desc'
        ' limit $8',
        schema_name
    )
    using actor_id, action, table_name, record_id, occurred_from, occurred_to, before_id,
        least(greatest(page_size, 1), 1000);
end;
$$;

comment on function tenancy.audit_entries(text, uuid, text, text, jsonb, timestamptz, timestamptz, bigint, integer) is
    'A page of a tenant''s audit_log, newest first; null filters nothing.';
