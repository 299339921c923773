create function tenancy.check_objects(schema_name text, differences tenancy.template_difference[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'unlike the template',
        concat_ws('.', schema_name, case when d.object_kind not in ('table', 'sequence') then d.table_name end, d.object_name),
        format(
            'The %s %s of schema %s is %s, compared with the template at its version.',
            d.object_kind,
            concat_ws('.', case when d.object_kind not in ('table', 'sequence') then d.table_name end, d.object_name),
            schema_name, d.difference
        ),
        coalesce(
            v.statement,
            case
                when r.statements is null then format('Change it by hand to %s.', coalesce(nullif(d.expected, ''), 'the definition of the template'))
                when schema_name = 'tenant_template' then r.statements
                else format('Read what tenantry drift --tenant %s --sql prints, and run it as postgres.', schema_name)
            end
        ),
        v.statement
    from unnest(differences) d
    left join lateral (
        -- The reference schema has the view only as of the latest version.
        select format(
            'create or replace view %I.%I%s as %s',
            schema_name, d.object_name,
            ' with (' || array_to_string(c.reloptions, ', ') || ')',
            replace(
                replace(pg_get_viewdef(c.oid), 'tenant_template.', quote_ident(schema_name) || '.'),
                '''tenant_template''', quote_literal(schema_name)
            )
        ) as statement
        from pg_catalog.pg_class c
        where d.object_kind = 'view'
            and schema_name <> 'tenant_template'
            and c.oid = to_regclass(format('tenant_template.%I', d.object_name))
            and c.relkind = 'v'
    ) v on true
    cross join lateral nullif(
        tenancy.difference_statements(
            schema_name, d.object_kind,
            concat_ws('.', case when d.object_kind not in ('table', 'sequence') then d.table_name end, d.object_name),
            d.expected, d.found
        ),
        ''
    ) r (statements)
    where d.difference <> 'extra'
        and d.object_kind not in ('policy', 'trigger', 'routine')
        and (
            d.object_kind <> 'table'
            or (
                d.difference = 'different'
                and regexp_replace(d.expected, ', (forced )?row level security', '', 'g')
                    <> regexp_replace(d.found, ', (forced )?row level security', '', 'g')
            )
        )
    order by d.object_kind, d.table_name, d.object_name;
end;
$$;

comment on function tenancy.check_objects(text, tenancy.template_difference[]) is
    'Check: other objects of the template that a tenant lacks, or has with another definition: columns, constraints, indexes, views, sequences, types. Only views are repaired, because the others hold or constrain rows.';
