create function tenancy.template_objects(schema_name text, version text)
    returns setof tenancy.schema_object
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- The reference's name is replaced, not the tenant's: only the reference has one that
    -- means nothing else.
    return query
    select o.object_kind,
        replace(o.object_name, 'tenant_template.', quote_ident(schema_name) || '.'),
        o.table_name,
        false,
        replace(
            replace(o.definition, 'tenant_template.', quote_ident(schema_name) || '.'),
            '''tenant_template''', quote_literal(schema_name)
        )
    from tenancy.tenant_template_objects o
    where o.version = template_objects.version;
end;
$$;

comment on function tenancy.template_objects(text, text) is
    'What a tenant at a version is to be made of: the reference schema as it was then, in the tenant''s name.';
