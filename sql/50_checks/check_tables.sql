create function tenancy.check_tables(schema_name text, differences tenancy.template_difference[])
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    select
        'table missing',
        schema_name || '.' || d.object_name,
        format(
            'Schema %s has no table %s, but its version of the template has one.', schema_name, d.object_name
        ),
        'Restore the tenant from a backup, because the rows of the table are lost; or create the table as '
            'the reference schema tenant_template has it.',
        null::text
    from unnest(differences) d
    where d.object_kind = 'table' and d.difference = 'missing'
    order by d.object_name;
end;
$$;

comment on function tenancy.check_tables(text, tenancy.template_difference[]) is
    'Check: tables of the template that a tenant has lost.';
