create function tenancy.compare_split_rows(
    split tenancy.tenants_splits,
    accept_changes boolean,
    out row_count bigint,
    out clashing_count bigint,
    out changed_count bigint,
    out changed_columns text[],
    out checksum bytea,
    out copy_checksum bytea
)
    returns record
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
    -- After the verification the tenant may change its rows, and only rows that have changed in
    -- the source are compared again.
    execute format(
        $sql$
        with compared as materialized (
            select h.key_hash, h.row_hash, h.copy_hash, l.key_hash is null as is_clashing,
                l.key_hash is not null
                and (
                    l.row_hash <> h.row_hash
                    or case $2 when 'verified' then l.copy_hash is not null else h.copy_hash is distinct from h.row_hash end
                ) as is_changed,
                h.differing_columns
            from (
                select %3$s as key_hash, %4$s as row_hash,
                    case when t.tableoid is not null then %7$s end as copy_hash,
                    case when t.tableoid is not null and %7$s <> %4$s then %8$s end as differing_columns
                from %1$s s
                left join %5$s t on %6$s
                where %2$s
                offset 0
            ) h
            left join tenancy.tenants_splits_rows l on l.split_id = $1 and l.key_hash = h.key_hash
        ),
        accepted as (
            update tenancy.tenants_splits_rows l
            set row_hash = c.row_hash, copy_hash = null
            from compared c
            where $3 and c.is_changed and l.split_id = $1 and l.key_hash = c.key_hash
        )
        select count(*),
            count(*) filter (where c.is_clashing),
            count(*) filter (where c.is_changed),
            (select array_agg(distinct d.name) from compared k cross join lateral unnest(k.differing_columns) d (name) where k.is_changed),
            sha256(string_agg(c.row_hash, '' order by c.key_hash)),
            sha256(string_agg(c.copy_hash, '' order by c.key_hash))
        from compared c
        $sql$,
        split.relation, v_parts.is_of_value, v_parts.key_hash_of_source, v_parts.row_hash_of_source,
        v_parts.target::regclass, v_parts.is_same_key, v_parts.row_hash_of_target, v_parts.differing_columns
    )
    into row_count, clashing_count, changed_count, changed_columns, checksum, copy_checksum
    using split.id, split.state, accept_changes;
end;
$$;

comment on function tenancy.compare_split_rows(tenancy.tenants_splits, boolean) is
    'Compares all rows of the source with those of the tenant, by key. Clashing rows could not be copied: the tenant has another row with such a key, or a trigger refuses them. Changed rows were copied, and triggers or the tenant have changed them; accept_changes takes them for copied. Only under the locks of verify_split.';
