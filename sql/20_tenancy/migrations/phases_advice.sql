create function tenancy.phases_advice(version text, name text, statements text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_name constant text := '("[^"]+"|[a-z_][a-z0-9_$]*)';
    v_update constant text := '(?i)^update\s+(?:only\s+)?' || v_name || '(?:\s+(?:as\s+)?(?!set\M)([a-z_]\w*))?\s+set\s+' || v_name;
    v_index constant text := '(?i)^create\s+(?:unique\s+)?index\s+' || v_name || '\s+on\s+(?:only\s+)?' || v_name;
    v_statements constant text[] := tenancy.split_statements(statements);
    -- Tables that the migration both changes and updates, and has not created.
    v_tables constant text[] := array(
        select distinct u.parts[1]
        from unnest(v_statements) s (statement)
        cross join lateral regexp_match(s.statement, v_update) u (parts)
        where exists (
            select from unnest(v_statements) a (statement)
            where a.statement ~* '^alter\s+table\s'
                and (regexp_match(a.statement, '(?i)^alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?' || v_name))[1] = u.parts[1]
        )
            and not exists (
                select from unnest(v_statements) c (statement)
                where (regexp_match(c.statement, '(?i)^create\s+table\s+(?:if\s+not\s+exists\s+)?' || v_name))[1] = u.parts[1]
            )
    );
    v_statement text;
    v_parts text[];
    v_part text;
    v_change text := '';
    v_kinds text[] := array[]::text[];
    v_texts text[] := array[]::text[];
begin
    if cardinality(v_tables) = 0 then
        return null;
    end if;

    foreach v_statement in array array_append(v_statements, '') loop
        v_parts := regexp_match(v_statement, v_update);
        if v_statement <> '' and not coalesce(
            v_parts[1] = any (v_tables) or (regexp_match(v_statement, v_index))[2] = any (v_tables), false
        ) then
            v_change := v_change || v_statement || E';\n';
            continue;
        end if;
        if v_change <> '' then
            v_kinds := array_append(v_kinds, 'migration');
            v_texts := array_append(v_texts, v_change);
            v_change := '';
        end if;
        if v_parts is null and v_statement <> '' then
            v_kinds := array_append(v_kinds, 'index');
            v_texts := array_append(v_texts, v_statement || E'\n');
        elsif v_statement <> '' then
            v_part := format('%1$s.ctid >= $1 and %1$s.ctid < $2', coalesce(v_parts[2], v_parts[1]));
            v_kinds := array_append(v_kinds, 'backfill');
            v_texts := array_append(
                v_texts,
                case (select count(*) from regexp_matches(v_statement, '\mwhere\M', 'gi'))
                    when 0 then format(E'%s\nwhere %s is null and %s', v_statement, v_parts[3], v_part)
                    when 1 then regexp_replace(v_statement, '\mwhere\M\s*(.*)$', format(E'where (\\1)\n    and %s', v_part), 'i')
                    else format(E'%s\n-- Add to its condition: and %s', v_statement, v_part)
                end || E'\n'
            );
        end if;
    end loop;

    return (
        select string_agg(
            format(
                E'select tenancy.register_tenant_%s(%L, %L, $tenant$\n%s$tenant$);',
                p.kind, version || case p.place when 1 then '' else '_' || p.place end, name, p.text
            ),
            E'\n' order by p.place
        )
        from unnest(v_kinds, v_texts) with ordinality p (kind, text, place)
    );
end;
$$;

comment on function tenancy.phases_advice(text, text, text) is
    'The same tenant migration as registrations of its phases: change, backfill, index. Null unless it changes a table and updates the rows of that table. A person has to read it: nobody parses the SQL.';
