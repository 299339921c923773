create function tenancy.copy_split_rows(
    split tenancy.tenants_splits,
    which text,
    after_key text[] default null,
    batch_size integer default null,
    out rows_read bigint,
    out rows_copied bigint,
    out last_key text[]
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
    execute format(
        $sql$
        with page as materialized (
            select s.*, array[%3$s] as split_texts, row_number() over (order by %2$s) as split_place,
                %7$s as split_key_hash, %8$s as split_row_hash
            from %1$s s
            where %4$s and %5$s
            order by %2$s
            limit $2
        ),
        copied as (
            insert into %6$s as t (%9$s) overriding system value
            select %10$s from page s order by s.split_place
            on conflict do nothing
            returning %11$s as key_hash, %12$s as copy_hash
        ),
        noted as (
            insert into tenancy.tenants_splits_rows (split_id, key_hash, row_hash, copy_hash)
            select $3, s.split_key_hash, s.split_row_hash, nullif(c.copy_hash, s.split_row_hash)
            from page s
            join copied c on c.key_hash = s.split_key_hash
            returning 1
        )
        select
            (select count(*) from page),
            (select count(*) from noted),
            (select s.split_texts from page s order by s.split_place desc limit 1)
        $sql$,
        split.relation, v_parts.key_columns, v_parts.key_texts, v_parts.is_of_value,
        case which
            when 'next' then v_parts.is_after_key
            else format(
                '($1 is null or true) and not exists (select from tenancy.tenants_splits_rows l where l.split_id = $3 and l.key_hash = %s)',
                v_parts.key_hash_of_source
            )
        end,
        v_parts.target::regclass,
        v_parts.key_hash_of_source, v_parts.row_hash_of_source,
        v_parts.columns, v_parts.source_values,
        v_parts.key_hash_of_target, v_parts.row_hash_of_target
    )
    into rows_read, rows_copied, last_key
    using after_key, batch_size, split.id;
end;
$$;

comment on function tenancy.copy_split_rows(tenancy.tenants_splits, text, text[], integer) is
    'Copies rows of the source into the tenant''s table, and notes their hashes. which is "next" for the rows behind a key, or "missing" for all that have not been copied. A row that meets another of the tenant''s rows in a unique key is left. Only under the lock of the tenant.';
