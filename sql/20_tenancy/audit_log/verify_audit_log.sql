create function tenancy.verify_audit_log(schema_name text, expected_head text)
    returns public.tenantry_audit_verification
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    language plpgsql
as $$
declare
    v_log constant regclass := tenancy.find_audit_log(schema_name);
    v_anchor tenancy.audit_seals;
    v_expected record;
    v_link record;
    v_hash bytea;
    v_lasting_hash bytea := '';
    v_hash_at_expected bytea := '';
    v_lasting_hash_at_expected bytea := '';
    v_next_place bigint;
    v_is_pruned boolean;
    v_kept bigint := 0;
    v_gone bigint;
    v_result public.tenantry_audit_verification := row(false, 0, null, null, null, null, null, null, null)::public.tenantry_audit_verification;
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

    select coalesce(sum(p.removed), 0)::bigint, coalesce(sum(p.removed + p.missing), 0)::bigint
    into v_result.pruned, v_gone
    from tenancy.audit_prunings p
    where p.schema_name = verify_audit_log.schema_name;
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'pruned_at', p.pruned_at, 'actor_id', p.actor_id, 'actor_role', p.actor_role,
                'removed_before', p.removed_before, 'removed', p.removed, 'missing', p.missing,
                'head', tenancy.audit_head(p.hash, p.lasting_hash)
            ) order by p.place desc
        ),
        '[]'
    )
    into v_result.prunings
    from (
        select *
        from tenancy.audit_prunings a
        where a.schema_name = verify_audit_log.schema_name
        order by a.place desc
        limit 100
    ) p;

    -- A head is only ever returned for the last link of a run or of a pruning. These tables keep
    -- its hashes when the link is pruned.
    select h.* into v_expected
    from (
        select r.schema_name, r.place, r.hash, r.lasting_hash from tenancy.audit_seal_runs r
        union all
        select p.schema_name, p.place, p.hash, p.lasting_hash from tenancy.audit_prunings p
    ) h
    where expected_head is not null
        and h.schema_name = verify_audit_log.schema_name
        and tenancy.audit_head(h.hash, h.lasting_hash) = lower(expected_head)
    limit 1;

    select * into v_anchor
    from tenancy.audit_seals s
    where s.schema_name = verify_audit_log.schema_name and s.is_anchor
    order by s.place desc
    limit 1;
    v_hash := coalesce(v_anchor.hash, '');
    v_next_place := coalesce(v_anchor.place, 0) + 1;

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
        v_is_pruned := v_link.is_anchor and not v_link.is_lasting;
        v_result.problem := case
            when v_is_pruned and v_link.found_id is null then null
            when v_is_pruned then 'inserted'
            when v_link.found_id is null then 'removed'
            when v_link.found_hash <> coalesce(v_link.redacted_hash, v_link.entry_hash) then 'changed'
        end;
        exit when v_result.problem is not null;
        v_result.checked := v_result.checked + (not v_is_pruned)::integer;

        if v_link.is_lasting then
            v_lasting_hash := sha256(v_lasting_hash || v_link.entry_hash);
        end if;
        if v_link.place > coalesce(v_anchor.place, 0) then
            v_hash := sha256(v_hash || v_link.entry_hash);
            if v_link.hash is distinct from v_hash or v_link.place <> v_next_place then
                v_result.problem := 'seal_changed';
            end if;
            v_next_place := v_link.place + 1;
        else
            v_kept := v_kept + v_link.is_lasting::integer;
            -- Links before the anchor are there for lasting entries only.
            if v_link.place < v_anchor.place and (v_link.hash is not null or v_link.is_anchor) then
                v_result.problem := 'seal_changed';
            end if;
        end if;
        if v_link.lasting_hash <> v_lasting_hash then
            v_result.problem := 'seal_changed';
        end if;
        exit when v_result.problem is not null;

        if v_link.place <= v_expected.place then
            v_hash_at_expected := v_hash;
            v_lasting_hash_at_expected := v_lasting_hash;
        end if;
    end loop;
    v_result.head := nullif(tenancy.audit_head(v_hash, v_lasting_hash), '');
    if v_result.problem is not null then
        v_result.entry_id := v_link.entry_id;
        return v_result;
    end if;

    -- Every entry up to the anchor is there, or in the record of a pruning.
    if coalesce(v_anchor.place, 0) - v_kept <> v_gone then
        v_result.problem := 'seal_changed';
        v_result.entry_id := v_anchor.entry_id;
        return v_result;
    end if;

    -- An unsealed entry whose id was handed out before a run, written by a transaction that
    -- began after that run, was inserted afterwards: a late commit cannot explain it. New entries
    -- have higher ids than every run, so that they are not compared with each run.
    execute format(
        'select min(e.id)'
        ' from %s e'
        ' where e.id <= (select max(r.last_entry_id) from tenancy.audit_seal_runs r where r.schema_name = $1)'
        '     and not exists ('
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
        when expected_head is null then null
        -- Of the entries that an older head stands for, only the lasting ones remain.
        when v_expected.lasting_hash = v_lasting_hash_at_expected
            and (v_expected.place < v_anchor.place or v_expected.hash = v_hash_at_expected) then null
        else 'head_not_found'
    end;
    v_result.is_intact := v_result.problem is null;

    return v_result;
end;
$$;

comment on function tenancy.verify_audit_log(text, text) is
    'Recomputes a log''s hash chain, names the first entry that does not match, counts the entries that are not sealed, and says what was pruned by whom.';
