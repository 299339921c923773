create function tenancy.verify_audit_log(schema_name text, expected_head text)
    returns public.audit_verification
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_log constant regclass := tenancy.find_audit_log(schema_name);
    v_link record;
    v_hash bytea := '';
    v_next_place bigint;
    v_head_found boolean := expected_head is null;
    v_result public.audit_verification := row(false, 0, null, null, null, null, null)::public.audit_verification;
begin
    execute format(
        'select count(*), min(e.occurred_at)'
        ' from %s e'
        ' where not exists ('
        '     select from tenancy.audit_seals s where s.schema_name = $1 and s.entry_id = e.id'
        ' )',
        v_log
    )
    into v_result.unsealed, v_result.oldest_unsealed_at
    using schema_name;

    for v_link in
        execute format(
            'select s.*, e.id as found_id, %s as found_hash'
            ' from tenancy.audit_seals s'
            ' left join %s e on e.id = s.entry_id'
            ' where s.schema_name = $1'
            ' order by s.place',
            tenancy.audit_entry_hash(schema_name), v_log
        )
        using schema_name
    loop
        if v_link.is_anchor and v_result.checked = 0 then
            v_hash := v_link.hash;
        else
            v_result.problem := case
                when v_link.found_id is null then 'removed'
                when v_link.found_hash <> coalesce(v_link.redacted_hash, v_link.entry_hash) then 'changed'
            end;
            exit when v_result.problem is not null;
            v_hash := sha256(v_hash || v_link.entry_hash);
            v_result.checked := v_result.checked + 1;
        end if;
        if v_link.hash <> v_hash or v_link.place <> coalesce(v_next_place, v_link.place)
            or (v_next_place is null and v_link.place <> 1 and not v_link.is_anchor)
        then
            v_result.problem := 'seal_changed';
            exit;
        end if;
        v_next_place := v_link.place + 1;
        v_head_found := v_head_found or encode(v_hash, 'hex') = lower(expected_head);
    end loop;
    v_result.head := nullif(encode(v_hash, 'hex'), '');
    if v_result.problem is not null then
        v_result.entry_id := v_link.entry_id;
        return v_result;
    end if;

    -- An unsealed entry whose id was handed out before a run, written by a transaction that
    -- began after that run, was inserted afterwards: a late commit cannot explain it.
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
        '             and tenancy.full_transaction_id(e.xmin) > r.horizon'
        '     )',
        v_log
    )
    into v_result.entry_id
    using schema_name;
    v_result.problem := case
        when v_result.entry_id is not null then 'inserted'
        when not v_head_found then 'head_not_found'
    end;
    v_result.is_intact := v_result.problem is null;

    return v_result;
end;
$$;

comment on function tenancy.verify_audit_log(text, text) is
    'Recomputes a log''s hash chain, names the first entry that does not match, and counts the entries that are not sealed.';
