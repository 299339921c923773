-- One trigger function per table with the table's columns written out, run once a statement
-- over the rows it touched: a generic comparison of JSON, row by row, costs many times that.
create function tenancy.audit_table(schema_name text, table_name text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_table constant oid := tenancy.require_table(schema_name, table_name);
    v_routine constant text := tenancy.audit_routine_name(table_name);
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

    execute format(
        $sql$
create or replace function %1$I.%2$I()
    returns trigger
    volatile
    security definer
    set search_path = ''
    -- The plan is kept from a session's first statement, which may have touched one row;
    -- the next may touch a million.
    set enable_nestloop = off
    language plpgsql
as $audit$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_role constant text := case v_caller.kind when 'nobody' then session_user else v_caller.kind end;
begin
    if tg_op = 'INSERT' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, new_values)
        select v_caller.user_id, v_role, 'insert', %3$L, %4$s, to_jsonb(_row)
        from new_rows _row;
    elsif tg_op = 'DELETE' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values)
        select v_caller.user_id, v_role, 'delete', %3$L, %4$s, to_jsonb(_row)
        from old_rows _row;
    elsif tg_op = 'UPDATE' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name, record_id, old_values, new_values)
        select v_caller.user_id, v_role, 'update', %3$L, %5$s,
            %6$s,
            %7$s
        from old_rows _old
        join new_rows _new on %8$s
        where row(_old.*)::record operator(pg_catalog.*<>) row(_new.*)::record
        -- A row with another key is another row.
        union all
        select v_caller.user_id, v_role, 'delete', %3$L, %4$s, to_jsonb(_row), null
        from old_rows _row
        where not exists (select from new_rows _new where %9$s)
        union all
        select v_caller.user_id, v_role, 'insert', %3$L, %4$s, null, to_jsonb(_row)
        from new_rows _row
        where not exists (select from old_rows _old where %10$s);
    else
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name)
        values (v_caller.user_id, v_role, 'truncate', %3$L);
    end if;
    return null;
end;
$audit$
        $sql$,
        schema_name, v_routine, table_name,
        coalesce(v_key, 'null::jsonb'),
        coalesce(replace(v_key, '_row.', '_new.'), 'null::jsonb'),
        v_old, v_new,
        coalesce(v_same_key, 'false'),
        coalesce(replace(v_same_key, '_old.', '_row.'), 'false'),
        coalesce(replace(v_same_key, '_new.', '_row.'), 'false')
    );

    if not exists (
        select from pg_catalog.pg_trigger t where t.tgrelid = v_table and t.tgname = 'audit_insert'
    ) then
        execute format(
            'create trigger audit_insert after insert on %1$I.%2$I'
            ' referencing new table as new_rows for each statement execute function %1$I.%3$I();'
            'create trigger audit_update after update on %1$I.%2$I'
            ' referencing old table as old_rows new table as new_rows'
            ' for each statement execute function %1$I.%3$I();'
            'create trigger audit_delete after delete on %1$I.%2$I'
            ' referencing old table as old_rows for each statement execute function %1$I.%3$I();'
            'create trigger audit_truncate after truncate on %1$I.%2$I'
            ' for each statement execute function %1$I.%3$I();',
            schema_name, table_name, v_routine
        );
    end if;
end;
$$;

comment on function tenancy.audit_table(text, text) is
    'Makes every change of a tenant''s table leave an entry in the tenant''s audit_log; again after its columns have changed. Only under lock_tenant.';
