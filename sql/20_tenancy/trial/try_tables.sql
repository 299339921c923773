-- Some faults show only when a member reads or writes: a routine that members may not execute, a
-- default or a trigger that fails, a policy that lets in everybody.
create function tenancy.try_tables(schema_name text, table_names text[])
    returns text
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_routine constant text := tenancy.create_trial_routine(schema_name);
    v_try record;
    v_result record;
    v_inserts jsonb := '{}';
begin
    perform set_config(
        'request.jwt.claims',
        jsonb_build_object('sub', gen_random_uuid(), 'role', 'authenticated')::text,
        true
    );

    for v_try in select t.* from tenancy.trial_statements(schema_name, table_names) t where t.table_name is not null loop
        execute format('select * from %s($1)', v_routine) into v_result using v_try.statement;
        if v_result.row_count > 0 then
            return format(
                'people who are not members, or no longer, could %s rows of table "%s". Call tenancy.enable_tenant_table(current_schema(), %L), which lets in members alone, and write policies that narrow this "as restrictive"',
                v_try.verb, v_try.table_name, v_try.table_name
            );
        end if;
        -- The owner writes the rows that a stranger must neither see nor change.
        if v_try.verb = 'insert' then
            perform tenancy.try_statement(v_try.statement);
        end if;
    end loop;

    perform tenancy.drop_trial_hurdles(schema_name);
    -- PostgreSQL checks who may execute a routine when it plans a statement. A plan of the owner
    -- would hide the error.
    discard plans;
    for v_try in select t.* from tenancy.trial_statements(schema_name, table_names) t loop
        execute format('select * from %s($1)', v_routine) into v_result using v_try.statement;
        -- Other errors may be due to the made-up values, or to the member: a violated constraint, a
        -- policy or a trigger that refuses them. A default sees neither.
        if v_result.code is not null and (case
            when v_result.code in ('42501', '55000') then v_result.message ~ '^permission denied '
            else v_result.code ~ '^(0A|3F|42|54|XX)' or v_try.verb = 'fill'
        end) then
            return concat_ws(
                '. ',
                format('a member could not %s: %s', v_try.title, v_result.message),
                nullif(case
                    when v_result.message ~ '^permission denied for (function|procedure|routine)' then
                        'A member executes it with their own rights. Name it in the fourth argument, if the API may call it, too; or make the routine that calls it security definer; or create it before the registration, in a schema that the Data API does not expose, and grant execute on it to authenticated and service_role'
                    when v_result.message ~ '^permission denied' then
                        'A member does this with their own rights. Grant what is missing before the registration, or make the routine that does it security definer'
                    when v_try.verb = 'fill' then 'Correct the default'
                    else rtrim(tenancy.statement_advice(v_result.code, v_result.message), '.')
                end, '')
            );
        end if;

        -- Each table has two inserts. Without an error the message is null.
        if v_try.verb = 'insert' then
            v_inserts := v_inserts || jsonb_build_object(
                v_try.table_name,
                coalesce(v_inserts -> v_try.table_name, '[]') || jsonb_build_array(v_result)
            );
        end if;
    end loop;

    for v_try in
        select i.key as table_name, i.value -> -1 ->> 'message' as message
        from jsonb_each(v_inserts) i
        where not exists (
            select
            from jsonb_array_elements(i.value) e (result)
            where coalesce(e.result ->> 'code', '') !~ '^(P0|22)'
        )
    loop
        raise warning 'No row could be inserted into table "%" in a trial: %. Check that a member can.', v_try.table_name, v_try.message;
    end loop;
    return null;
end;
$$;

comment on function tenancy.try_tables(text, text[]) is
    'Writes and reads these tables of a tenant, or all if table_names is null, as a stranger and as a member, and returns the first problem as a sentence; null if there is none. Warns of a table that takes no row. Only in a schema that is rolled back (40P01, 55P03).';
