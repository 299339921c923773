create function tenancy.remove_split_rows(split tenancy.tenants_splits)
    returns void
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
begin
    execute format(
        $sql$
        with gone as materialized (
            select l.key_hash, coalesce(l.copy_hash, l.row_hash) as copy_hash
            from tenancy.tenants_splits_rows l
            where l.split_id = $1
                and not exists (select from %2$s s where %3$s and %1$s = l.key_hash)
        ),
        removed as (
            delete from %4$s t
            using gone g
            where %5$s = g.key_hash and %6$s = g.copy_hash
        )
        delete from tenancy.tenants_splits_rows l
        using gone g
        where l.split_id = $1 and l.key_hash = g.key_hash
        $sql$,
        v_parts.key_hash_of_source, split.relation, v_parts.is_of_value,
        v_parts.target::regclass, v_parts.key_hash_of_target, v_parts.row_hash_of_target
    )
    using split.id;
end;
$$;

comment on function tenancy.remove_split_rows(tenancy.tenants_splits) is
    'Removes the copies of rows that are no longer in the source, unless the tenant has changed them. Only before the rows are verified, and under the locks of verify_split.';
