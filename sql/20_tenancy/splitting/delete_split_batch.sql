create function tenancy.delete_split_batch(
    relation regclass,
    column_name text,
    value text,
    schema_name text,
    after_key text[],
    batch_size integer,
    out rows_deleted bigint,
    out rows_left bigint,
    out last_key text[]
)
    returns record
    volatile
    security invoker
    set search_path = ''
    -- The text of a value, of which hashes are made, must not depend on the session.
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    language plpgsql
as $$
declare
    v_tenant constant public.tenants := tenancy.lock_active_tenant(schema_name);
    v_split tenancy.tenants_splits;
    v_parts record;
    v_is_unreferenced text;
begin
    select p.* into v_split
    from tenancy.tenants_splits p
    where p.relation = delete_split_batch.relation
        and p.column_name = delete_split_batch.column_name
        and p.value = delete_split_batch.value
        and p.schema_name = delete_split_batch.schema_name;
    if v_split.state is distinct from 'verified' then
        raise exception 'The rows of table % with the value % are not verified.', relation, tenancy.printable(value)
            using errcode = 'object_not_in_prerequisite_state', hint = 'Verify them first with tenantry split.';
    end if;
    v_parts := tenancy.split_statements(relation, column_name, value, schema_name);

    -- A row goes when nothing references it any more.
    v_is_unreferenced := tenancy.split_unreferenced(relation, 's');
    perform tenancy.lock_relations(
        (
            select string_agg(r.name, ', ' order by r.name collate "C")
            from (
                select relation::text as name
                union
                select k.conrelid::regclass::text
                from pg_catalog.pg_constraint k
                where k.contype = 'f' and k.confrelid = delete_split_batch.relation
            ) r
        ),
        'share row exclusive'
    );
    -- A column that came after the verification has values that nobody has copied.
    perform tenancy.require_fitting_table(relation, column_name, schema_name);

    -- Triggers of the project may use names without a schema.
    perform set_config('search_path', 'public, extensions', true);
    execute format(
        $sql$
        with page as materialized (
            select s.*, array[%3$s] as split_texts, row_number() over (order by %2$s) as split_place
            from %1$s s
            where %4$s and %5$s%8$s
            order by %2$s
            limit $2
        ),
        verified as materialized (
            select s.*, l.key_hash as split_key_hash, l.row_hash as split_row_hash
            from page s
            -- A search by the key for each row, whatever the statistics say.
            cross join lateral (
                select l.key_hash, l.row_hash
                from tenancy.tenants_splits_rows l
                where l.split_id = $3 and l.key_hash = %6$s and l.row_hash = %7$s and l.copy_hash is null
                limit 1
            ) l
        ),
        deleted as (
            delete from %1$s s
            using verified t
            where %9$s and %4$s and %7$s = t.split_row_hash
            returning t.split_key_hash
        ),
        forgotten as (
            delete from tenancy.tenants_splits_rows l
            using deleted d
            where l.split_id = $3 and l.key_hash = d.split_key_hash
        )
        select
            (select count(*) from deleted),
            (select p.split_texts from page p order by p.split_place desc limit 1)
        $sql$,
        relation, v_parts.key_columns, v_parts.key_texts, v_parts.is_of_value, v_parts.is_after_key,
        v_parts.key_hash_of_source, v_parts.row_hash_of_source, v_is_unreferenced, v_parts.is_same_key
    )
    into rows_deleted, last_key
    using after_key, batch_size, v_split.id;
    perform set_config('search_path', '', true);
    if last_key is not null then
        update tenancy.tenants_splits p
        set rows_deleted = p.rows_deleted + delete_split_batch.rows_deleted
        where p.id = v_split.id;
        return;
    end if;

    execute format('select count(*) from %s s where %s', relation, v_parts.is_of_value) into rows_left;
    if v_split.rows_deleted > 0 then
        perform tenancy.log_action(
            'tenant.split_delete', v_tenant,
            jsonb_build_object('table', relation::text, 'deleted', v_split.rows_deleted, 'left', rows_left)
        );
    end if;
    update tenancy.tenants_splits p set rows_deleted = 0 where p.id = v_split.id;
    delete from tenancy.tenants_splits p where p.id = v_split.id and delete_split_batch.rows_left = 0;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function tenancy.delete_split_batch(regclass, text, text, text, text[], integer) is
    'Deletes verified rows of one tenant from a table of the project, behind a key: those that are what they were when they were copied, and that no row references. Without a last key there was no such row, and rows_left says how many stay. Call it from the beginning until it deletes nothing. Only the owner can execute it (55000, PT404, PT429 busy).';
