create function tenancy.audit_statements(
    schema_name text,
    table_name text,
    actor text,
    out on_insert text,
    out on_delete text,
    out on_update text,
    out columns text
)
    returns record
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_key text;
    v_same_key text;
    v_old text;
    v_new text;
begin
    -- Values are compared byte by byte: type json has no `=`, and numeric 1.0 = 1.00.
    select
        array_agg(a.attname order by a.attnum)::text,
        'jsonb_build_object(' || string_agg(format('%1$L, %2$s.%1$I', a.attname, '_row'), ', ' order by a.attnum)
            filter (where a.attnum = any (i.indkey::smallint[])) || ')',
        string_agg(format('_old.%1$I = _new.%1$I', a.attname), ' and ' order by a.attnum)
            filter (where a.attnum = any (i.indkey::smallint[])),
        string_agg(
            format(
                'case when row(_old.%1$I)::record operator(pg_catalog.*<>) row(_new.%1$I)::record'
                ' then jsonb_build_object(%1$L, _old.%1$I) else ''{}'' end',
                a.attname
            ),
            E'\n            || ' order by a.attnum
        ),
        string_agg(
            format(
                'case when row(_old.%1$I)::record operator(pg_catalog.*<>) row(_new.%1$I)::record'
                ' then jsonb_build_object(%1$L, _new.%1$I) else ''{}'' end',
                a.attname
            ),
            E'\n            || ' order by a.attnum
        )
    into columns, v_key, v_same_key, v_old, v_new
    from pg_catalog.pg_attribute a
    left join pg_catalog.pg_index i on i.indrelid = a.attrelid and i.indisprimary
    where a.attrelid = v_table and a.attnum > 0 and not a.attisdropped;

    on_insert := format(
        $sql$insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, new_values)
        select %2$s, 'insert', %3$L, %4$s, to_jsonb(_row)
        from new_rows _row$sql$,
        schema_name, actor, table_name, coalesce(v_key, 'null::jsonb')
    );
    on_delete := format(
        $sql$insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values)
        select %2$s, 'delete', %3$L, %4$s, to_jsonb(_row)
        from old_rows _row$sql$,
        schema_name, actor, table_name, coalesce(v_key, 'null::jsonb')
    );
    on_update := format(
        $sql$insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values, new_values)
        select %2$s, 'update', %3$L, %5$s,
            %6$s,
            %7$s
        from old_rows _old
        join new_rows _new on %8$s
        where row(_old.*)::record operator(pg_catalog.*<>) row(_new.*)::record
        -- An update that changes the key is logged as a delete and an insert.
        union all
        select %2$s, 'delete', %3$L, %4$s, to_jsonb(_row), null
        from old_rows _row
        where not exists (select from new_rows _new where %9$s)
        union all
        select %2$s, 'insert', %3$L, %4$s, null, to_jsonb(_row)
        from new_rows _row
        where not exists (select from old_rows _old where %10$s)$sql$,
        schema_name, actor, table_name,
        coalesce(v_key, 'null::jsonb'),
        coalesce(replace(v_key, '_row.', '_new.'), 'null::jsonb'),
        v_old, v_new,
        coalesce(v_same_key, 'false'),
        coalesce(replace(v_same_key, '_old.', '_row.'), 'false'),
        coalesce(replace(v_same_key, '_new.', '_row.'), 'false')
    );
end;
$$;

comment on function tenancy.audit_statements(text, text, text) is
    'The statements that audit a table with its present columns. They read the transition tables old_rows and new_rows. actor is two SQL expressions: the actor''s id and role (PT404 table_not_found).';
