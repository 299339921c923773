create function tenancy.audit_routine_source(schema_name text, table_name text)
    returns text
    stable
    security definer
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
    select
        'jsonb_build_object(' || string_agg(format('%1$L, %2$s.%1$I', a.attname, '_row'), ', ' order by a.attnum) || ')',
        string_agg(format('_old.%1$I = _new.%1$I', a.attname), ' and ' order by a.attnum)
    into v_key, v_same_key
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey::smallint[])
    where i.indrelid = v_table and i.indisprimary;

    -- Compared byte by byte: `=` does not exist for json, and calls 1.0 and 1.00 the same.
    select
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
    into v_old, v_new
    from pg_catalog.pg_attribute a
    where a.attrelid = v_table and a.attnum > 0 and not a.attisdropped;

    return format(
        $sql$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_role constant text := case v_caller.kind when 'nobody' then session_user else v_caller.kind end;
begin
    if tg_op = 'INSERT' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, new_values)
        select v_caller.user_id, v_role, 'insert', %2$L, %3$s, to_jsonb(_row)
        from new_rows _row;
    elsif tg_op = 'DELETE' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values)
        select v_caller.user_id, v_role, 'delete', %2$L, %3$s, to_jsonb(_row)
        from old_rows _row;
    elsif tg_op = 'UPDATE' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values, new_values)
        select v_caller.user_id, v_role, 'update', %2$L, %4$s,
            %5$s,
            %6$s
        from old_rows _old
        join new_rows _new on %7$s
        where row(_old.*)::record operator(pg_catalog.*<>) row(_new.*)::record
        -- A row with another key is another row.
        union all
        select v_caller.user_id, v_role, 'delete', %2$L, %3$s, to_jsonb(_row), null
        from old_rows _row
        where not exists (select from new_rows _new where %8$s)
        union all
        select v_caller.user_id, v_role, 'insert', %2$L, %3$s, null, to_jsonb(_row)
        from new_rows _row
        where not exists (select from old_rows _old where %9$s);
    else
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name)
        values (v_caller.user_id, v_role, 'truncate', %2$L);
    end if;
    return null;
end;
        $sql$,
        schema_name, table_name,
        coalesce(v_key, 'null::jsonb'),
        coalesce(replace(v_key, '_row.', '_new.'), 'null::jsonb'),
        v_old, v_new,
        coalesce(v_same_key, 'false'),
        coalesce(replace(v_same_key, '_old.', '_row.'), 'false'),
        coalesce(replace(v_same_key, '_new.', '_row.'), 'false')
    );
end;
$$;

comment on function tenancy.audit_routine_source(text, text) is
    'Body of the trigger function that audits a table, with its columns as they are now.';
