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
    -- A statement that has changed no row is no activity: a stranger's finds none.
    -- Large is a row of more than 2,000 bytes. From 65,536 on, values may be too large for a
    -- document: a compressed one can be 255 times as large.
    -- The comments are here, because every tenant has a copy of the function.
    return format(
        $sql$
<<audit>>
declare
    v_caller constant tenancy.caller := tenancy.caller();
    v_role constant text := case v_caller.kind when 'nobody' then session_user else v_caller.kind end;
    v_size integer;
    v_is_unusual boolean;
    v_backfill text;
    v_rows bigint;
begin
    if tg_op = 'TRUNCATE' then
        insert into %1$I.audit_log (actor_id, actor_role, action, table_name)
        values (audit.v_caller.user_id, audit.v_role, 'truncate', %2$L);
        return null;
    end if;

    if current_setting('tenancy.backfill', true) <> '' then
        v_backfill := tenancy.running_backfill(%1$L);
    end if;
    if v_backfill is not null then
        if tg_op = 'DELETE' then
            select count(*) into v_rows from old_rows;
        else
            select count(*) into v_rows from new_rows;
        end if;
        if v_rows > 0 then
            insert into %1$I.audit_log (actor_id, actor_role, action, table_name, new_values)
            values (
                audit.v_caller.user_id, audit.v_role, lower(tg_op), %2$L,
                jsonb_build_object('backfill', v_backfill, 'rows', v_rows)
            );
        end if;
        return null;
    end if;

    v_is_unusual := %3$L::name[] is distinct from (
        select array_agg(a.attname order by a.attnum)
        from pg_catalog.pg_attribute a
        where a.attrelid = tg_relid and a.attnum > 0 and not a.attisdropped
    );
    if not v_is_unusual then
        begin
            if tg_op = 'INSERT' then
                v_is_unusual := exists (select from new_rows _row where %8$s > 65536 or %9$s);
            elsif tg_op = 'DELETE' then
                v_is_unusual := exists (select from old_rows _row where %8$s > 65536 or %9$s);
            else
                select max(%8$s), bool_or(%9$s) into v_size, v_is_unusual
                from (table old_rows union all table new_rows) _row;
            end if;
        exception
            when others then v_is_unusual := true;
        end;
    end if;
    if v_is_unusual or v_size > 65536 then
        execute (
            select case tg_op when 'INSERT' then s.on_insert when 'DELETE' then s.on_delete else s.on_update end
            from tenancy.audit_statements(%1$L, tg_table_name, '$1, $2', as_text => true) s
        )
        using v_caller.user_id, v_role;
    elsif tg_op = 'INSERT' then
        %4$s;
    elsif tg_op = 'DELETE' then
        %5$s;
    elsif v_size > 2000 then
        %7$s;
    else
        %6$s;
    end if;

    get diagnostics v_size = row_count;
    if v_size > 0 and v_caller.kind in ('user', 'service_role') then
        perform tenancy.note_activity(%1$L);
    end if;
    return null;
end;
        $sql$,
        schema_name, table_name, v_statements.columns,
        v_statements.on_insert, v_statements.on_delete, v_statements.on_update, v_statements.on_large_update,
        coalesce(v_statements.size, '0'), coalesce(v_statements.is_unusual, 'false')
    );
end;
$$;

comment on function tenancy.audit_routine_source(text, text) is
    'Body of the trigger function that audits a table, for the table''s present columns.';
