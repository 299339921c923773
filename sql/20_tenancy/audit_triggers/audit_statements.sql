create function tenancy.audit_statements(
    schema_name text,
    table_name text,
    actor text,
    as_text boolean default false,
    out on_insert text,
    out on_delete text,
    out on_update text,
    out on_large_update text,
    out columns text,
    out size text,
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
    v_largest constant integer := (
        select least(16000000, 240000000 / greatest(c.relnatts, 1)) from pg_catalog.pg_class c where c.oid = v_table
    );
    v_value constant text := case
        when as_text then format('tenancy.audited_value(%%s.%%I, %s)', v_largest)
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
    v_large_old text;
    v_large_new text;
    v_removed text;
    v_added text;
    v_update text;
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
        string_agg(format(c.if_changed, c.name, c.value_of_old), E'\n            || ' order by c.place),
        string_agg(format(c.if_changed, c.name, c.value_of_new), E'\n            || ' order by c.place),
        string_agg(
            format(
                c.if_changed, c.name,
                case
                    when c.is_text then format(
                        'case when greatest(octet_length(_old.%1$I), octet_length(_new.%1$I)) <= 2048 then to_jsonb(_old.%1$I)'
                        ' else tenancy.audited_change(_old.%1$I, _new.%1$I, false, %2$s) end',
                        c.name, v_largest
                    )
                    when c.is_of_variable_size then format('tenancy.audited_change(_old.%1$I, _new.%1$I, false, %2$s)', c.name, v_largest)
                    else c.value_of_old
                end
            ),
            E'\n            || ' order by c.place
        ),
        string_agg(
            format(
                c.if_changed, c.name,
                case
                    when c.is_text then format(
                        'case when greatest(octet_length(_old.%1$I), octet_length(_new.%1$I)) <= 2048 then to_jsonb(_new.%1$I)'
                        ' else tenancy.audited_change(_old.%1$I, _new.%1$I, true, %2$s) end',
                        c.name, v_largest
                    )
                    when c.is_of_variable_size then format('tenancy.audited_change(_old.%1$I, _new.%1$I, true, %2$s)', c.name, v_largest)
                    else c.value_of_new
                end
            ),
            E'\n            || ' order by c.place
        ),
        -- The key has changed, or there is none. A large value that is still in the table is not
        -- kept again.
        string_agg(
            format(
                'jsonb_build_object(%L, %s)',
                c.name,
                case
                    when c.is_of_variable_size then format(
                        'case when tenancy.audited_hash(_row.%1$I) in (select tenancy.audited_hash(_new.%1$I) from new_rows _new)'
                        ' then tenancy.audited_summary(_row.%1$I, %2$s) else tenancy.audited_value(_row.%1$I, %2$s) end',
                        c.name, v_largest
                    )
                    else c.value_of_row
                end
            ),
            E'\n            || ' order by c.place
        ),
        string_agg(
            format(
                'jsonb_build_object(%L, %s)',
                c.name,
                case
                    when c.is_of_variable_size then format('tenancy.audited_summary(_row.%I, %s)', c.name, v_largest)
                    else c.value_of_row
                end
            ),
            E'\n            || ' order by c.place
        ),
        -- In bytes, without reading the values. A compressed value counts as a large one.
        string_agg(
            format(
                case
                    when c.is_text or c.type = 'bytea'::regtype then 'coalesce(octet_length(_row.%1$I), 0)'
                    when c.type = any ('{numeric,inet}'::regtype[]::oid[]) then 'coalesce(pg_column_size(_row.%1$I), 0)'
                    else 'coalesce(pg_column_size(_row.%1$I) + case when pg_column_compression(_row.%1$I) is null then 0 else 2001 end, 0)'
                end,
                c.name
            ),
            ' + ' order by c.place
        )
            filter (where c.is_of_variable_size),
        string_agg(
            format('jsonb_path_exists(%1$s, ''strict $.**{500}'') or %1$s ? ''$text''', c.document),
            ' or ' order by c.place
        )
            filter (where c.document is not null)
    into columns, v_key_of_row, v_key_of_new, v_same_key, v_same_key_as_new, v_same_key_as_old, v_row, v_old, v_new,
        v_large_old, v_large_new, v_removed, v_added, size, is_unusual
    from (
        select a.attname as name, a.attnum as place,
            a.attnum = any (i.indkey::smallint[]) as is_key,
            a.atttypid as type,
            a.attlen = -1 as is_of_variable_size,
            a.atttypid = any ('{text,varchar,bpchar}'::regtype[]::oid[]) as is_text,
            -- Values are compared byte by byte: type json has no `=`, and numeric 1.0 = 1.00.
            'case when row(_old.%1$I)::record operator(pg_catalog.*<>) row(_new.%1$I)::record'
            ' then jsonb_build_object(%1$L, %2$s) else ''{}'' end' as if_changed,
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

    -- A table may have no column yet.
    v_row := coalesce(v_row, '''{}''::jsonb');
    v_old := coalesce(v_old, '''{}''::jsonb');
    v_new := coalesce(v_new, '''{}''::jsonb');
    v_large_old := coalesce(v_large_old, '''{}''::jsonb');
    v_large_new := coalesce(v_large_new, '''{}''::jsonb');
    v_removed := coalesce(v_removed, '''{}''::jsonb');
    v_added := coalesce(v_added, '''{}''::jsonb');

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
    v_update := $sql$insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values, new_values)
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
        select %2$s, 'insert', %3$L, %4$s, null, %14$s
        from new_rows _row%13$s
        where not exists (select from old_rows _old where %10$s)$sql$;
    on_large_update := format(
        v_update,
        schema_name, actor, table_name,
        coalesce(v_key_of_row, 'null::jsonb'),
        coalesce(v_key_of_new, 'null::jsonb'),
        v_large_old, v_large_new,
        coalesce(v_same_key, 'false'),
        coalesce(v_same_key_as_new, 'false'),
        coalesce(v_same_key_as_old, 'false'),
        v_removed,
        format(v_check, '_new'), format(v_check, '_row'),
        v_added
    );
    on_update := case
        when as_text then on_large_update
        else format(
            v_update,
            schema_name, actor, table_name,
            coalesce(v_key_of_row, 'null::jsonb'),
            coalesce(v_key_of_new, 'null::jsonb'),
            v_old, v_new,
            coalesce(v_same_key, 'false'),
            coalesce(v_same_key_as_new, 'false'),
            coalesce(v_same_key_as_old, 'false'),
            v_row, '', '', v_row
        )
    end;
end;
$$;

comment on function tenancy.audit_statements(text, text, text, boolean) is
    'The statements that audit a table with its present columns. They read the transition tables old_rows and new_rows. actor is two SQL expressions: the actor''s id and role. on_large_update keeps only what changed in large values. size is the size of _row in bytes, without columns of fixed size. is_unusual is the condition on _row that the statements could fail or write something that cannot be read; with as_text they do neither, and keep only what changed, at a higher cost (PT404 table_not_found).';
