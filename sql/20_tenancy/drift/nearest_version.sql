create function tenancy.nearest_version(schema_name text, objects tenancy.schema_object[])
    returns text
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    -- At a later version the tenant would never receive the migrations that it lacks.
    select m.version
    from tenancy.tenant_migrations m
    order by (select count(*) from tenancy.schema_differences(schema_name, m.version, objects)), m.position desc
    limit 1;
$$;

comment on function tenancy.nearest_version(text, tenancy.schema_object[]) is
    'The version of the template from which a schema with these objects differs least.';
