create function tenancy.nearest_version(schema_name text, objects tenancy.schema_object[])
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    -- First the tables and columns, because damage to policies, triggers and routines is likelier.
    -- A table of a later version would count as the tenant's own, so the version with most of the
    -- tables comes next. At a later version than its own the tenant would never receive the
    -- migrations that it lacks.
    select m.version
    from tenancy.tenant_migrations m
    cross join lateral (
        select count(*) as differences,
            count(*) filter (
                where d.object_kind = 'column' or (d.object_kind = 'table' and d.difference = 'missing')
            ) as of_shape
        from tenancy.schema_differences(schema_name, m.version, objects) d
    ) c
    cross join lateral (
        select count(*) as present
        from tenancy.tenant_template_objects t
        join unnest(objects) o on o.object_kind = 'table' and o.object_name = t.object_name
        where t.version = m.version and t.object_kind = 'table'
    ) t
    order by c.of_shape, t.present desc, c.differences, m.position desc
    limit 1;
$$;

comment on function tenancy.nearest_version(text, tenancy.schema_object[]) is
    'The version of the template from which a schema with these objects differs least.';
