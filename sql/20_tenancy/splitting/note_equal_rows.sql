create function tenancy.note_equal_rows(split tenancy.tenants_splits)
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
        insert into tenancy.tenants_splits_rows (split_id, key_hash, row_hash)
        select $1, %3$s, %4$s
        from %1$s s
        join %5$s t on %6$s
        where %2$s
            and %4$s = %7$s
            and not exists (select from tenancy.tenants_splits_rows l where l.split_id = $1 and l.key_hash = %3$s)
        $sql$,
        split.relation, v_parts.is_of_value, v_parts.key_hash_of_source, v_parts.row_hash_of_source,
        v_parts.target::regclass, v_parts.is_same_key, v_parts.row_hash_of_target
    )
    using split.id;
end;
$$;

comment on function tenancy.note_equal_rows(tenancy.tenants_splits) is
    'Notes the hashes of rows that the tenant has already, equal to those of the source: somebody copied them by hand. Only under the locks of verify_split.';
