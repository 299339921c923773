-- The definition has everything that the catalog knows of a policy. repair_findings compares the
-- policy with it afterwards, so a test that this function would cut wrongly is rolled back.
create function tenancy.policy_statement(
    schema_name text,
    table_name text,
    policy_name text,
    definition text
)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_command constant text := substring(definition from '^[a-z]+ for (.)');
    v_rest text := substring(definition from '^[a-z]+ for . to (.*)$');
    v_check text;
    v_using text;
begin
    if v_command in ('a', 'w', '*') and strpos(v_rest, ' with check ') > 0 then
        v_check := substr(v_rest, strpos(v_rest, ' with check ') + length(' with check '));
        v_rest := left(v_rest, strpos(v_rest, ' with check ') - 1);
    end if;
    if v_command <> 'a' and strpos(v_rest, ' using ') > 0 then
        v_using := substr(v_rest, strpos(v_rest, ' using ') + length(' using '));
        v_rest := left(v_rest, strpos(v_rest, ' using ') - 1);
    end if;

    return concat_ws(
        ' ',
        format('create policy %I on %I.%I as', policy_name, schema_name, table_name),
        split_part(definition, ' ', 1),
        case v_command
            when 'r' then 'for select'
            when 'a' then 'for insert'
            when 'w' then 'for update'
            when 'd' then 'for delete'
            else 'for all'
        end,
        -- The catalog shows PUBLIC, who is no role, as a hyphen.
        'to ' || case v_rest when '-' then 'public' else v_rest end,
        'using (' || v_using || ')',
        'with check (' || v_check || ')'
    ) || ';';
end;
$$;

comment on function tenancy.policy_statement(text, text, text, text) is
    'The statement that creates a policy, from its definition as schema_objects prints it; null if there is no definition.';
