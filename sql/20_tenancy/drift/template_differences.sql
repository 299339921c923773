-- The reference schema counts as a tenant at the latest version, so that damage to it is found,
-- too.
create function tenancy.template_differences(schema_name text, objects tenancy.schema_object[])
    returns setof tenancy.template_difference
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_version constant text := coalesce(
        (select t.schema_version from public.tenants t where t.schema_name = template_differences.schema_name),
        (
            select m.version
            from tenancy.tenant_migrations m
            where template_differences.schema_name = 'tenant_template'
            order by m.position desc
            limit 1
        )
    );
begin
    return query
    with differences as (
        select d.*, coalesce(e.table_name, f.table_name) as table_name
        from tenancy.schema_differences(schema_name, v_version, objects) d
        left join tenancy.template_objects(schema_name, v_version) e
            on e.object_kind = d.object_kind and e.object_name = d.object_name
        left join unnest(objects) f on f.object_kind = d.object_kind and f.object_name = d.object_name
    ),
    lost as (
        select d.object_name
        from differences d
        where d.object_kind = 'table' and d.difference = 'missing'
    )
    select d.object_kind, d.table_name,
        case
            when d.table_name is null or d.object_kind in ('table', 'sequence') then d.object_name
            else substr(d.object_name, length(d.table_name) + 2)
        end,
        d.difference, d.expected, d.found
    from differences d
    -- What belongs to a missing table is missing, too.
    where d.object_kind = 'table'
        or (
            coalesce(d.table_name not in (select l.object_name from lost l), true)
            and coalesce(d.expected not in (select 'audits ' || l.object_name from lost l), true)
        );
end;
$$;

comment on function tenancy.template_differences(text, tenancy.schema_object[]) is
    'The differences between a schema with these objects and the template at its version, without what belongs to a missing table.';
