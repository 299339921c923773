-- plpgsql, because it keeps the plan for the next tenant: planning costs more than running.
create function tenancy.schema_differences(
    schema_name text,
    version text,
    objects tenancy.schema_object[]
)
    returns setof public.tenantry_schema_difference
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return query
    with expected as materialized (
        select t.* from tenancy.template_objects(schema_differences.schema_name, schema_differences.version) t
    ),
    template_tables as (
        select e.object_name from expected e where e.object_kind = 'table'
    ),
    found as (
        select o.*
        from unnest(schema_differences.objects) o
        where not o.is_extension
            and (o.table_name is null or o.table_name in (select t.object_name from template_tables t))
            -- The audit routine of an own table belongs to that table.
            and not (
                o.object_kind = 'routine'
                and o.definition like 'audits %'
                and substr(o.definition, 8) not in (select t.object_name from template_tables t)
            )
    )
    select
        coalesce(e.object_kind, f.object_kind),
        coalesce(e.object_name, f.object_name),
        case when f.object_kind is null then 'missing' when e.object_kind is null then 'extra' else 'different' end,
        e.definition,
        f.definition,
        null::text
    from expected e
    full join found f on f.object_kind = e.object_kind and f.object_name = e.object_name
    where e.definition is distinct from f.definition
        and not (
            e.object_kind is null
            and exists (
                select from tenancy.tenants_own_objects a
                where a.schema_name = schema_differences.schema_name
                    and a.object_kind = f.object_kind
                    and a.object_name = f.object_name
            )
        )
    order by 1, 2;
end;
$$;

comment on function tenancy.schema_differences(text, text, tenancy.schema_object[]) is
    'The differences between a tenant''s objects and the template at this version. Own tables, columns x_… in the template''s tables, and what a schema had before it became a tenant do not count.';
