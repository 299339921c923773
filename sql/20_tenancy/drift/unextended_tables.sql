create function tenancy.unextended_tables(schema_name text, version text)
    returns text[]
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    return array(
        select t.table_name
        from tenancy.tenant_template_objects t
        where t.version = unextended_tables.version
            and t.object_kind = 'table'
            and not exists (
                select from pg_catalog.pg_attribute a
                where a.attrelid = tenancy.find_table(schema_name, t.table_name)
                    and a.attname like 'x\_%'
                    and not a.attisdropped
            )
    );
end;
$$;

comment on function tenancy.unextended_tables(text, text) is
    'Tables of a version of the template to which a tenant has added no column x_….';
