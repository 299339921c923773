create function tenancy.audit_statements(
    schema_name text,
    table_name text,
    actor text,
    out on_insert text,
    out on_delete text,
    out on_update text
)
    returns record
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
        -- A row with another key is another row.
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
    'The statements that audit a table with its columns as they are now, from the transition tables old_rows and new_rows; actor is two expressions, the actor''s id and role.';

revoke all on function tenancy.audit_statements(text, text, text) from public, anon, authenticated, service_role;

create or replace function tenancy.audit_routine_source(schema_name text, table_name text)
    returns text
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_columns text;
    v_statements record;
begin
    select array_agg(a.attname order by a.attnum)::text into v_columns
    from pg_catalog.pg_attribute a
    where a.attrelid = tenancy.require_table(schema_name, table_name)
        and a.attnum > 0 and not a.attisdropped;
    v_statements := tenancy.audit_statements(schema_name, table_name, 'v_caller.user_id, v_role');

    return format(
        $sql$
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_role constant text := case v_caller.kind when 'nobody' then session_user else v_caller.kind end;
begin
    if tg_op = 'TRUNCATE' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name)
        values (v_caller.user_id, v_role, 'truncate', %2$L);
        return null;
    end if;

    -- A migration changed the columns and goes on to change rows: what is written here
    -- follows when it has ended.
    if %3$L::name[] is distinct from (
        select array_agg(a.attname order by a.attnum)
        from pg_catalog.pg_attribute a
        where a.attrelid = tg_relid and a.attnum > 0 and not a.attisdropped
    ) then
        execute (
            select case tg_op when 'INSERT' then s.on_insert when 'DELETE' then s.on_delete else s.on_update end
            from tenancy.audit_statements(%1$L, %2$L, '$1, $2') s
        )
        using v_caller.user_id, v_role;
        return null;
    end if;

    if tg_op = 'INSERT' then
        %4$s;
    elsif tg_op = 'DELETE' then
        %5$s;
    else
        %6$s;
    end if;
    return null;
end;
        $sql$,
        schema_name, table_name, v_columns,
        v_statements.on_insert, v_statements.on_delete, v_statements.on_update
    );
end;
$$;

-- The trail follows a migration that changes columns and then rows.
select tenancy.register_tenant_migration('20261125164000', 'refresh_audit_trail', $tenant$
    -- Nothing of its own: every tenant migration brings the audit trail up to date.
$tenant$);
