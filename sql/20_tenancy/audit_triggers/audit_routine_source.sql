create function tenancy.audit_routine_source(schema_name text, table_name text)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_statements record;
begin
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

    -- A migration that has changed the columns may change rows, too. This function still has
    -- the old columns, until the migration ends and the function is replaced.
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
        schema_name, table_name, v_statements.columns,
        v_statements.on_insert, v_statements.on_delete, v_statements.on_update
    );
end;
$$;

comment on function tenancy.audit_routine_source(text, text) is
    'Body of the trigger function that audits a table, for the table''s present columns.';
