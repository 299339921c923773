create function tenancy.update_split_rows(split tenancy.tenants_splits)
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
    v_count bigint := 0;
begin
    -- A table may have nothing but its key.
    if v_parts.assignments is not null then
        execute format(
            $sql$
            with changed as materialized (
                select s.*, coalesce(l.copy_hash, l.row_hash) as split_copy_hash,
                    l.key_hash as split_key_hash, %4$s as split_row_hash
                from %1$s s
                join tenancy.tenants_splits_rows l on l.split_id = $1 and l.key_hash = %3$s
                where %2$s and l.row_hash <> %4$s
            ),
            updated as (
                update %5$s t
                set %6$s
                from changed s
                where %7$s and %8$s = s.split_copy_hash
                returning s.split_key_hash, s.split_row_hash, %8$s as copy_hash
            )
            update tenancy.tenants_splits_rows l
            set row_hash = u.split_row_hash, copy_hash = nullif(u.copy_hash, u.split_row_hash)
            from updated u
            where l.split_id = $1 and l.key_hash = u.split_key_hash
            $sql$,
            split.relation, v_parts.is_of_value, v_parts.key_hash_of_source, v_parts.row_hash_of_source,
            v_parts.target::regclass, v_parts.assignments, v_parts.is_same_key, v_parts.row_hash_of_target
        )
        using split.id;
        get diagnostics v_count = row_count;
    end if;

    return v_count;
end;
$$;

comment on function tenancy.update_split_rows(tenancy.tenants_splits) is
    'Brings the copies of rows that have changed in the source up to date, unless the tenant has changed them, and returns how many. Only under the locks of verify_split.';
