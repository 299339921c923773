create function tenancy.trigger_statements(
    schema_name text,
    table_name text,
    trigger_name text,
    expected text,
    found text
)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    select concat_ws(
        ' ',
        case
            when e.creation = f.creation then null
            when f.creation is null then e.creation || ';'
            else format('drop trigger %I on %I.%I; %s;', trigger_name, schema_name, table_name, e.creation)
        end,
        case when e.creation = f.creation or e.state <> 'O' then format(
            'alter table %I.%I %s trigger %I;',
            schema_name, table_name,
            case e.state when 'O' then 'enable' when 'D' then 'disable' when 'A' then 'enable always' else 'enable replica' end,
            trigger_name
        ) end
    )
    from (
        select regexp_replace(expected, ', enabled .$', '') as creation, right(expected, 1) as state
    ) e
    cross join (select regexp_replace(found, ', enabled .$', '') as creation) f;
$$;

comment on function tenancy.trigger_statements(text, text, text, text, text) is
    'The statements that give a trigger its expected definition, from both definitions as schema_objects prints them. found is null if the trigger is missing.';
