create function tenancy.remove_split_rows(split tenancy.tenants_splits)
    returns bigint
    volatile
    security invoker
    set search_path = ''
    -- Statistics of rows that came a moment ago are wrong, and a nested loop would take forever.
    set enable_nestloop = off
    language plpgsql
as $$
declare
    v_parts constant record := tenancy.split_statements(
        split.relation, split.column_name, split.value, split.schema_name
    );
    v_removed bigint;
    v_kept bigint;
begin
    -- A row that is referenced by a removed row of its own table goes in a later round.
    loop
        execute format(
            $sql$
            with gone as materialized (
                select l.key_hash, coalesce(l.copy_hash, l.row_hash) as copy_hash
                from tenancy.tenants_splits_rows l
                where l.split_id = $1
                    and not exists (select from %2$s s where %3$s and %1$s = l.key_hash)
            ),
            present as materialized (
                select g.key_hash
                from %4$s t
                join gone g on %5$s = g.key_hash
            ),
            removed as (
                delete from %4$s t
                using gone g
                where %5$s = g.key_hash and %6$s = g.copy_hash%7$s
                returning g.key_hash
            ),
            forgotten as (
                delete from tenancy.tenants_splits_rows l
                using gone g
                left join present p on p.key_hash = g.key_hash
                left join removed r on r.key_hash = g.key_hash
                where l.split_id = $1 and l.key_hash = g.key_hash
                    and (p.key_hash is null or r.key_hash is not null)
            )
            select (select count(*) from removed), (select count(*) from present) - (select count(*) from removed)
            $sql$,
            v_parts.key_hash_of_source, split.relation, v_parts.is_of_value,
            v_parts.target::regclass, v_parts.key_hash_of_target, v_parts.row_hash_of_target,
            tenancy.split_unreferenced(v_parts.target, 't')
        )
        into v_removed, v_kept
        using split.id;
        exit when v_removed = 0 or v_kept = 0;
    end loop;

    return v_kept;
end;
$$;

comment on function tenancy.remove_split_rows(tenancy.tenants_splits) is
    'Removes the copies of rows that are no longer in the source, and returns how many stay, because the tenant has changed them or other rows reference them. Only before the rows are verified, and under the locks of verify_split.';
