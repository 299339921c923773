-- plpgsql, because it keeps the plan for the next tenant: planning costs more than running.
create function tenancy.own_objects(schema_name text, version text, objects tenancy.schema_object[])
    returns tenancy.schema_object[]
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    return array(
        select row(o.*)::tenancy.schema_object
        from unnest(own_objects.objects) o
        left join (
            select t.object_kind, replace(t.object_name, 'tenant_template.', quote_ident(own_objects.schema_name) || '.') as object_name
            from tenancy.tenant_template_objects t
            where t.version = own_objects.version and (t.table_name is null or t.object_kind = 'table')
        ) t
            on t.object_kind = case when o.table_name is null then o.object_kind else 'table' end
            and t.object_name = coalesce(o.table_name, o.object_name)
        where t.object_kind is null or o.is_extension
    );
end;
$$;

comment on function tenancy.own_objects(text, text, tenancy.schema_object[]) is
    'A tenant''s own objects, which the template at this version does not have: own tables with everything that belongs to them, and columns x_… with everything that depends on them.';
