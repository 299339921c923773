create function tenancy.verify_audit_log(schema_name text, expected_head text)
    returns public.audit_verification
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    language plpgsql
as $$
declare
    v_log constant regclass := tenancy.find_audit_log(schema_name);
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
    'Recomputes a log''s hash chain, and names the first entry that does not match.';
