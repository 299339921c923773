create function tenancy.audit_statements(
    schema_name text,
    table_name text,
    actor text,
    as_text boolean default false,
    out on_insert text,
    out on_delete text,
    out on_update text,
    out columns text,
    out is_unusual text
)
    returns record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    -- All values of a row have to fit into one document, which may have 256 MB.
    v_value constant text := case
        when as_text then format(
            'tenancy.audited_value(%%s.%%I, %s)',
            (select least(16000000, 240000000 / c.relnatts) from pg_catalog.pg_class c where c.oid = v_table)
        )
        else '%s.%I'
    end;
    v_check constant text := case
        when as_text then format(
            E'\n        cross join lateral tenancy.require_restorable(%L, (%%s.*)::%s)',
            replace(table_name, '%', '%%'), replace(v_table::regclass::text, '%', '%%')
        )
        else ''
    end;
    v_plain_types constant oid[] := array[
        'boolean', 'smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision', 'text', 'varchar', 'bpchar',
        'uuid', 'date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval', 'bytea', 'inet', 'text[]', 'integer[]',
        'bigint[]', 'uuid[]'
    ]::regtype[]::oid[];
    v_key_of_row text;
    v_key_of_new text;
    v_same_key text;
    v_same_key_as_new text;
    v_same_key_as_old text;
    v_row text;
    v_old text;
    v_new text;
begin
    select
        array_agg(c.name order by c.place)::text,
        -- jsonb_build_object takes at most 100 arguments, so each column has a call of its own.
        string_agg(format('jsonb_build_object(%L, %s)', c.name, c.value_of_row), ' || ' order by c.place)
            filter (where c.is_key),
        string_agg(format('jsonb_build_object(%L, %s)', c.name, c.value_of_new), ' || ' order by c.place)
            filter (where c.is_key),
        string_agg(format('_old.%1$I = _new.%1$I', c.name), ' and ' order by c.place) filter (where c.is_key),
        string_agg(format('_row.%1$I = _new.%1$I', c.name), ' and ' order by c.place) filter (where c.is_key),
        string_agg(format('_old.%1$I = _row.%1$I', c.name), ' and ' order by c.place) filter (where c.is_key),
        case when as_text then
            string_agg(format('jsonb_build_object(%L, %s)', c.name, c.value_of_row), E'\n            || ' order by c.place)
        else 'to_jsonb(_row.*)' end,
        -- Values are compared byte by byte: type json has no `=`, and numeric 1.0 = 1.00.
        string_agg(
            format(
                'case when row(_old.%1$I)::record operator(pg_catalog.*<>) row(_new.%1$I)::record'
                ' then jsonb_build_object(%1$L, %2$s) else ''{}'' end',
                c.name, c.value_of_old
            ),
            E'\n            || ' order by c.place
        ),
        string_agg(
            format(
                'case when row(_old.%1$I)::record operator(pg_catalog.*<>) row(_new.%1$I)::record'
                ' then jsonb_build_object(%1$L, %2$s) else ''{}'' end',
                c.name, c.value_of_new
            ),
            E'\n            || ' order by c.place
        ),
        concat_ws(
            ' or ',
            -- A compressed value is at most 255 times as large.
            string_agg(format('coalesce(pg_column_size(_row.%I), 0)', c.name), ' + ' order by c.place)
                filter (where c.is_of_variable_size)
                || ' > 65536',
            string_agg(
                format('jsonb_path_exists(%1$s, ''strict $.**{500}'') or %1$s ? ''$text''', c.document),
                ' or ' order by c.place
            )
                filter (where c.document is not null)
        )
    into columns, v_key_of_row, v_key_of_new, v_same_key, v_same_key_as_new, v_same_key_as_old, v_row, v_old, v_new, is_unusual
    from (
        select a.attname as name, a.attnum as place,
            a.attnum = any (i.indkey::smallint[]) as is_key,
            a.attlen = -1 as is_of_variable_size,
            format(v_value, '_row', a.attname) as value_of_row,
            format(v_value, '_old', a.attname) as value_of_old,
            format(v_value, '_new', a.attname) as value_of_new,
            case
                when a.atttypid = 'jsonb'::regtype then format('_row.%I', a.attname)
                -- The usual types are never documents. Any other type is asked in each statement.
                when a.atttypid = any (v_plain_types)
                then null
                else format('to_jsonb(_row.%I)', a.attname)
            end as document
        from pg_catalog.pg_attribute a
        left join pg_catalog.pg_index i on i.indrelid = a.attrelid and i.indisprimary
        where a.attrelid = v_table and a.attnum > 0 and not a.attisdropped
    ) c;

    on_insert := format(
        $sql$insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, new_values)
        select %2$s, 'insert', %3$L, %4$s, %5$s
        from new_rows _row%6$s$sql$,
        schema_name, actor, table_name, coalesce(v_key_of_row, 'null::jsonb'), v_row, format(v_check, '_row')
    );
    on_delete := format(
        $sql$insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values)
        select %2$s, 'delete', %3$L, %4$s, %5$s
        from old_rows _row$sql$,
        schema_name, actor, table_name, coalesce(v_key_of_row, 'null::jsonb'), v_row
    );
    on_update := format(
        $sql$insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values, new_values)
        select %2$s, 'update', %3$L, %5$s,
            %6$s,
            %7$s
        from old_rows _old
        join new_rows _new on %8$s%12$s
        where row(_old.*)::record operator(pg_catalog.*<>) row(_new.*)::record
        -- An update that changes the key is logged as a delete and an insert.
        union all
        select %2$s, 'delete', %3$L, %4$s, %11$s, null
        from old_rows _row
        where not exists (select from new_rows _new where %9$s)
        union all
        select %2$s, 'insert', %3$L, %4$s, null, %11$s
        from new_rows _row%13$s
        where not exists (select from old_rows _old where %10$s)$sql$,
        schema_name, actor, table_name,
        coalesce(v_key_of_row, 'null::jsonb'),
        coalesce(v_key_of_new, 'null::jsonb'),
        v_old, v_new,
        coalesce(v_same_key, 'false'),
        coalesce(v_same_key_as_new, 'false'),
        coalesce(v_same_key_as_old, 'false'),
        v_row,
        format(v_check, '_new'), format(v_check, '_row')
    );
end;
$$;

comment on function tenancy.audit_statements(text, text, text, boolean) is
    'The statements that audit a table with its present columns. They read the transition tables old_rows and new_rows. actor is two SQL expressions: the actor''s id and role. is_unusual is the condition on _row that the statements would fail or write something that cannot be read; with as_text they do neither, at a higher cost (PT404 table_not_found).';
