-- Statements for a person to read and run. What would lose rows or guess values has none.
create function tenancy.difference_statements(
    schema_name text,
    object_kind text,
    object_name text,
    expected text,
    actual text
)
    returns text
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    -- Objects of a table are named <table>.<object>.
    v_table constant text := format('%I.%I', schema_name, split_part(object_name, '.', 1));
    v_name constant text := substr(object_name, strpos(object_name, '.') + 1);
    v_audit constant text := format('%I.%I', schema_name, tenancy.audit_routine_name(split_part(object_name, '.', 1)));
begin
    return case object_kind
        when 'grant' then case
            when object_name ~ ' to (public|anon|authenticated|service_role)$' then
                format('select tenancy.apply_tenant_privileges(%L);', schema_name)
            -- A grant to another role: see other_grants.
            else regexp_replace(object_name, '^(on .*) to ("(?:[^"]|"")+"|[^" ]+)$', format('revoke %s \1 from \2;', actual))
        end
        -- What runs with the rights of its owner has to be read first: see check_owners.
        when 'owner' then (
            select format('alter %s owner to %s;', substr(difference_statements.object_name, 4), w.expected)
            from tenancy.wrong_owners(schema_name) w
            where format('of %s %s', w.object_kind, w.object_name) = difference_statements.object_name
                and (w.is_audit_routine or not w.runs_as_owner)
        )
        when 'table' then (
            select string_agg(format('alter table %s %s row level security;', v_table, c.change), ' ')
            from (values
                (case when expected ~ ', row level security' then 'enable' else 'disable' end,
                    (expected ~ ', row level security') <> (actual ~ ', row level security')),
                (case when expected ~ ', forced row level' then 'force' else 'no force' end,
                    (expected ~ ', forced row level') <> (actual ~ ', forced row level'))
            ) c (change, is_due)
            where c.is_due
        )
        when 'column' then tenancy.column_statements(v_table, v_name, expected, actual)
        when 'constraint' then concat_ws(
            ' ',
            case when actual is not null then format('alter table %s drop constraint %I;', v_table, v_name) end,
            case when expected is not null then format('alter table %s add constraint %I %s;', v_table, v_name, expected) end
        )
        -- The index of a constraint comes and goes with it.
        when 'index' then concat_ws(
            ' ',
            case when actual is not null then format('drop index if exists %I.%I;', schema_name, v_name) end,
            regexp_replace(regexp_replace(expected, ', invalid$', ''), ' INDEX ', ' INDEX IF NOT EXISTS ') || ';'
        )
        when 'policy' then concat_ws(
            ' ',
            case when actual is not null then format('drop policy %I on %s;', v_name, v_table) end,
            case when expected is not null then
                tenancy.policy_statement(schema_name, split_part(object_name, '.', 1), v_name, expected)
            end
        )
        when 'trigger' then case
            when expected is null then format('drop trigger %I on %s;', v_name, v_table)
            -- An audit routine that is missing comes back with its triggers.
            when strpos(expected, format('EXECUTE FUNCTION %s()', v_audit)) > 0 and to_regprocedure(v_audit || '()') is null then null
            else tenancy.trigger_statements(schema_name, split_part(object_name, '.', 1), v_name, expected, actual)
        end
        when 'rule' then case
            when expected is null then format('drop rule %I on %s;', v_name, v_table)
            else regexp_replace(expected, '^CREATE RULE', 'CREATE OR REPLACE RULE')
        end
        when 'routine' then case
            when expected is null then format(
                'drop routine %I.%I%s;',
                schema_name, split_part(object_name, '(', 1), substr(object_name, strpos(object_name, '('))
            )
            when expected like 'audits %' then tenancy.audit_table_statements(schema_name, substr(expected, 8))
            when expected like 'CREATE OR REPLACE %' then concat_ws(
                ' ',
                expected || ';',
                -- PostgreSQL lets everybody execute a new routine.
                case when actual is null then format('select tenancy.apply_tenant_privileges(%L);', schema_name) end
            )
        end
        when 'view' then case
            when expected is null then format('drop view %I.%I;', schema_name, object_name)
            -- The text of a view begins with a space: see schema_objects.
            else format(
                'create or replace view %I.%I%s as%s',
                schema_name, object_name,
                ' with (' || substring(split_part(expected, ',  ', 1) from '^kind v, persistence ., (.*)$') || ')',
                substr(expected, strpos(expected, ',  ') + 2)
            )
        end
    end;
end;
$$;

comment on function tenancy.difference_statements(text, text, text, text, text) is
    'SQL that removes one difference between a tenant and the template, from the definitions that schema_differences returns; null if a person has to decide.';
