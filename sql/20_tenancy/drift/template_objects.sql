-- plpgsql, because it keeps the plan for the next tenant: planning costs more than running.
create function tenancy.template_objects(schema_name text, version text)
    returns setof tenancy.schema_object
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    -- The reference schema's name is replaced, because it occurs nowhere else. A tenant's name
    -- could also be the name of a table or a word in a text.
    return query
    select o.object_kind,
        replace(o.object_name, 'tenant_template.', quote_ident(template_objects.schema_name) || '.'),
        o.table_name,
        false,
        replace(
            replace(o.definition, 'tenant_template.', quote_ident(template_objects.schema_name) || '.'),
            '''tenant_template''', quote_literal(template_objects.schema_name)
        )
    from tenancy.tenant_template_objects o
    where o.version = template_objects.version;
end;
$$;

comment on function tenancy.template_objects(text, text) is
    'The objects that a tenant at this version must have: those of the reference schema at this version, with the tenant''s schema name.';
