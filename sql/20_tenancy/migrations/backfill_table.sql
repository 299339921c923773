-- The plan of PostgreSQL says what the statement does. Text would have to be parsed.
create function tenancy.backfill_table(
    schema_name text,
    migration tenancy.tenant_migrations,
    out table_name text,
    out alias text
)
    volatile
    security invoker
    set search_path = ''
    -- So the plan shows a range of blocks as such, if the statement has one, in an empty table, too.
    set enable_seqscan = off
    set enable_indexscan = off
    set enable_indexonlyscan = off
    set enable_bitmapscan = off
    language plpgsql
as $$
declare
    v_statement constant text := tenancy.single_statement(migration.statements);
    v_plan jsonb;
    v_writes jsonb;
    v_scan jsonb;
    v_problem text;
begin
    perform set_config('search_path', tenancy.tenant_search_path(schema_name), true);
    begin
        execute format(
            E'explain (verbose, costs off, format json) with backfill as (%s\n returning 1) select count(*) from backfill',
            v_statement
        )
        into v_plan
        using '(11,1)'::tid, '(23,1)'::tid;
    exception
        when syntax_error then
            v_problem := format('PostgreSQL says: %s. Write one UPDATE or DELETE without RETURNING', sqlerrm);
        when others then
            if sqlstate !~ '^(22|42)' then
                raise;
            end if;
            raise exception 'Tenant migration % failed: %', migration.version, concat_ws(
                    ' ', rtrim(sqlerrm, '.') || '.', nullif(tenancy.statement_advice(sqlstate, sqlerrm), '')
                )
                using errcode = sqlstate;
    end;
    perform set_config('search_path', '', true);

    if v_problem is null then
        select jsonb_agg(w) into v_writes
        from jsonb_path_query(v_plan, 'strict $.** ? (@."Node Type" == "ModifyTable")') w;
        v_scan := jsonb_path_query_first(
            v_plan,
            'strict $.** ? (@."Node Type" == "Tid Range Scan" && @.Schema == $schema && @.Alias == $alias)',
            jsonb_build_object('schema', schema_name, 'alias', v_writes -> 0 -> 'Alias')
        );
        v_problem := case
            when jsonb_array_length(v_writes) is distinct from 1
                or v_writes -> 0 ->> 'Operation' not in ('Update', 'Delete')
                then 'Write one UPDATE or DELETE: a backfill repeats it for one part of the table after the other'
            when v_writes -> 0 ? 'Target Tables'
                then 'It changes a table with partitions or children. Write a backfill for each of them, with "only"'
            when v_writes -> 0 ->> 'Schema' is distinct from schema_name
                then 'It does not change a table of the tenant. Leave names unqualified: it runs in each tenant'
            when v_scan is null and jsonb_path_exists(v_plan, 'strict $.** ? (@."One-Time Filter" == "false")')
                then 'Its condition can never be true, for example because it asks a column that is not null for null'
            when v_scan is null
                or v_scan ->> 'TID Cond' !~ 'ctid >= ''\(11,1\)''::tid'
                or v_scan ->> 'TID Cond' !~ 'ctid < ''\(23,1\)''::tid'
                then format(
                    'Restrict it to the part of the table that is its turn: add "and %1$s.ctid >= $1 and %1$s.ctid < $2" to its condition',
                    coalesce(v_writes -> 0 ->> 'Alias', 'the table')
                )
            when v_writes -> 0 ->> 'Operation' = 'Update'
                and not v_scan ? 'Filter'
                and not jsonb_path_exists(v_plan, 'strict $.** ? (@."Join Type" like_regex "." || @."Parent Relationship" == "SubPlan")')
                then 'Add a condition that is false for a row once it is changed, such as "total is null": the backfill ends when no row is left'
        end;
    end if;
    table_name := v_writes -> 0 ->> 'Relation Name';
    if v_problem is null and v_writes -> 0 ->> 'Operation' = 'Update' then
        alias := v_writes -> 0 ->> 'Alias';
        perform set_config('search_path', tenancy.tenant_search_path(schema_name), true);
        begin
            execute format(
                E'explain with backfill as (%s\n returning %I.ctid) select count(*) from backfill', v_statement, alias
            ) using '(11,1)'::tid, '(23,1)'::tid;
        exception
            when undefined_table or undefined_column then
                v_problem := 'Give the table that it changes an alias, under which it reads no other table';
        end;
        perform set_config('search_path', '', true);
    end if;
    if v_problem is not null then
        raise exception 'Tenant migration % cannot be run in batches. %.', migration.version, v_problem
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end;
$$;

comment on function tenancy.backfill_table(text, tenancy.tenant_migrations) is
    'The table whose rows a backfill changes in this schema, and, of an UPDATE, how its statement calls it. Refuses a statement that is not one UPDATE or DELETE of a part of one of its tables, or that has no condition on what is left to do (55000).';
