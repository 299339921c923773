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
    v_statements := tenancy.audit_statements(schema_name, table_name, 'audit.v_caller.user_id, audit.v_role');

    -- A migration that has changed the columns may change rows, too. The function still has the
    -- old columns, until the migration ends and the function is replaced. So it compares them.
    -- The block with an exception clause writes nothing, so that it takes no transaction id.
    -- The label audit tells the variables from columns of the same names.
    -- The comments are here, because every tenant has a copy of the function.
    return format(
        $sql$
<<audit>>
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_role constant text := case v_caller.kind when 'nobody' then session_user else v_caller.kind end;
    v_as_text boolean;
begin
    if tg_op = 'TRUNCATE' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name)
        values (audit.v_caller.user_id, audit.v_role, 'truncate', %2$L);
        return null;
    end if;

    v_as_text := %3$L::name[] is distinct from (
        select array_agg(a.attname order by a.attnum)
        from pg_catalog.pg_attribute a
        where a.attrelid = tg_relid and a.attnum > 0 and not a.attisdropped
    );
    if not v_as_text then
        begin
            if tg_op <> 'DELETE' then
                v_as_text := exists (select from new_rows _row where %7$s);
            end if;
            if tg_op <> 'INSERT' and not v_as_text then
                v_as_text := exists (select from old_rows _row where %7$s);
            end if;
        exception
            when others then v_as_text := true;
        end;
    end if;
    if v_as_text then
        execute (
            select case tg_op when 'INSERT' then s.on_insert when 'DELETE' then s.on_delete else s.on_update end
            from tenancy.audit_statements(%1$L, tg_table_name, '$1, $2', as_text => true) s
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
        v_statements.on_insert, v_statements.on_delete, v_statements.on_update,
        coalesce(nullif(v_statements.is_unusual, ''), 'false')
    );
end;
$$;

comment on function tenancy.audit_routine_source(text, text) is
    'Body of the trigger function that audits a table, for the table''s present columns.';
