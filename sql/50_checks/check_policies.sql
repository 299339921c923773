create function tenancy.check_policies(schema_name text, differences tenancy.template_difference[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'wrong policy',
        format('%s.%s', schema_name, d.table_name),
        format(
            'The policy %s on %s.%s %s',
            d.object_name, schema_name, d.table_name,
            case d.difference
                when 'missing' then 'is missing.'
                when 'different' then 'has another definition than the template.'
                else 'is not in the template.'
            end
        ),
        case
            when d.difference <> 'extra' then 'Run the doctor with --fix, which creates this policy as the template has it.'
            when p.is_restrictive then
                'The policy can only narrow access, so the doctor leaves it. If nobody needs it: '
                || p.drop_statement
            else p.drop_statement
        end,
        case
            when d.difference = 'missing' then p.create_statement
            when d.difference = 'different' then p.drop_statement || ' ' || p.create_statement
            when not p.is_restrictive then p.drop_statement
        end
    from unnest(differences) d
    cross join lateral (
        select d.found like 'restrictive %' as is_restrictive,
            format('drop policy %I on %I.%I;', d.object_name, schema_name, d.table_name) as drop_statement,
            case when d.expected is not null then
                tenancy.policy_statement(schema_name, d.table_name, d.object_name, d.expected)
            end as create_statement
    ) p
    where d.object_kind = 'policy'
    order by d.table_name, d.object_name;
end;
$$;

comment on function tenancy.check_policies(text, tenancy.template_difference[]) is
    'Check: policies on tables of the template that are missing, different or extra. Repairs one policy and leaves the others of its table.';
