create function tenancy.check_triggers(schema_name text, differences tenancy.template_difference[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'trigger missing',
        format('%s.%s', schema_name, d.table_name),
        format(
            'The trigger %s on %s.%s %s. The audit log may lack changes, or somebody can change what the '
            'trigger protects.',
            d.object_name, schema_name, d.table_name,
            case
                when d.difference = 'missing' then 'is missing'
                when d.found like '%, enabled D' then 'is disabled'
                else 'has another definition than the template'
            end
        ),
        s.statements,
        s.statements
    from unnest(differences) d
    cross join lateral tenancy.trigger_statements(
        schema_name, d.table_name, d.object_name, d.expected, d.found
    ) s (statements)
    where d.object_kind = 'trigger' and d.difference <> 'extra'
    order by d.table_name, d.object_name;
end;
$$;

comment on function tenancy.check_triggers(text, tenancy.template_difference[]) is
    'Check: triggers on tables of the template that are missing, disabled or different.';
