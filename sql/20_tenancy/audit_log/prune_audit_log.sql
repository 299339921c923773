create function tenancy.prune_audit_log(schema_name text, before timestamptz)
    returns public.tenantry_audit_pruning
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_log constant regclass := tenancy.find_audit_log(schema_name);
    v_anchor tenancy.audit_seals;
    v_place bigint;
    v_links bigint;
    v_removed bigint;
begin
    perform tenancy.require_past_retention(before);

    -- Seal first, because only sealed entries are removed.
    perform tenancy.seal_audit_log(schema_name);

    -- Only the beginning of the chain can be removed: all links before the first entry that is
    -- too young. Lasting entries in it stay, and have a chain of their own.
    select * into v_anchor
    from tenancy.audit_seals s
    where s.schema_name = prune_audit_log.schema_name and s.is_anchor;
    execute format(
        'select max(s.place) from tenancy.audit_seals s'
        ' where s.schema_name = $1'
        '     and s.place < all (array('
        '         select min(k.place) from tenancy.audit_seals k join %s e on e.id = k.entry_id'
        '         where k.schema_name = $1 and k.place > $3 and e.occurred_at >= $2'
        '         having min(k.place) is not null'
        '     ))',
        v_log
    )
    into v_place
    using schema_name, before, coalesce(v_anchor.place, 0);

    select count(*) into v_links
    from tenancy.audit_seals s
    where s.schema_name = prune_audit_log.schema_name
        and s.place > coalesce(v_anchor.place, 0)
        and s.place <= v_place
        and not s.is_lasting;
    perform set_config('tenancy.maintaining', v_log::text, true);
    execute format(
        'delete from %s e using tenancy.audit_seals s'
        ' where s.schema_name = $1 and s.place > $2 and s.place <= $3 and not s.is_lasting'
        '     and s.entry_id = e.id',
        v_log
    )
    using schema_name, coalesce(v_anchor.place, 0), v_place;
    get diagnostics v_removed = row_count;
    perform set_config('tenancy.maintaining', '', true);

    -- Without a removed entry the chain stays as it is, so that each anchor belongs to a pruning.
    if v_removed > 0 then
        delete from tenancy.audit_seals s
        where s.schema_name = prune_audit_log.schema_name and s.place < v_place and not s.is_lasting;
        update tenancy.audit_seals s
        set hash = null, is_anchor = false
        where s.schema_name = prune_audit_log.schema_name and s.place < v_place and s.hash is not null;
        update tenancy.audit_seals s
        set is_anchor = true
        where s.schema_name = prune_audit_log.schema_name and s.place = v_place
        returning s.* into v_anchor;
        insert into tenancy.audit_prunings
            (schema_name, place, actor_id, actor_role, removed_before, removed, missing, hash, lasting_hash)
        values (
            schema_name, v_place, (tenancy.caller()).user_id, tenancy.actor_role(schema_name), before,
            v_removed, v_links - v_removed, v_anchor.hash, v_anchor.lasting_hash
        );
    end if;

    return row(
        schema_name, v_removed, tenancy.audit_head(v_anchor.hash, v_anchor.lasting_hash)
    )::public.tenantry_audit_pruning;
end;
$$;

comment on function tenancy.prune_audit_log(text, timestamptz) is
    'Removes the sealed entries of a log that are older than a moment, except the lasting ones, and records who did it. The link of the last removed entry stays as the anchor of the rest of the chain (PT409 retention_floor, PT422 invalid_request).';
