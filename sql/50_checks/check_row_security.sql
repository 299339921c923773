-- A tenant table that is not in the template has to have row level security if it has policies or
-- audit triggers, because enable_tenant_table makes both.
create function tenancy.check_row_security(schema_name text, differences tenancy.template_difference[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'RLS off',
        schema_name || '.' || r.table_name,
        format(
            'Row level security is off on %s.%s, or not forced as in the template. Members of every tenant '
            'may have access.',
            schema_name, r.table_name
        ),
        s.statements,
        s.statements
    from (
        select d.object_name as table_name,
            d.expected ~ ', row level security' and d.found !~ ', row level security' as is_off,
            d.expected ~ ', forced row level' and d.found !~ ', forced row level' as is_unforced
        from unnest(differences) d
        where d.object_kind = 'table' and d.difference = 'different'
        union all
        select t.table_name, true, false
        from tenancy.own_tables(schema_name) t
        where not t.has_row_security and (t.is_audited or t.has_policies)
    ) r
    cross join lateral (
        select concat_ws(
            ' ',
            case when r.is_off then format('alter table %I.%I enable row level security;', schema_name, r.table_name) end,
            case when r.is_unforced then format('alter table %I.%I force row level security;', schema_name, r.table_name) end
        ) as statements
    ) s
    where r.is_off or r.is_unforced
    order by r.table_name;
end;
$$;

comment on function tenancy.check_row_security(text, tenancy.template_difference[]) is
    'Check: tenant tables without row level security.';
