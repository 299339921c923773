create function tenancy.prune_audit_log(schema_name text, before timestamptz)
    returns public.audit_pruning
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_log constant regclass := tenancy.find_audit_log(schema_name);
    v_place bigint;
    v_removed bigint;
    v_head text;
begin
    -- Seal first, because only sealed entries are removed.
    perform tenancy.seal_audit_log(schema_name);

    -- Only the beginning of the chain can be removed: all links before the first entry to keep.
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
    'Removes the sealed entries of a log that are older than a moment. The link of the last removed entry stays as the anchor of the rest of the chain.';
