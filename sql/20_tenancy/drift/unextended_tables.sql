create function tenancy.unextended_tables(schema_name text, version text)
    returns text[]
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select array(
        select t.table_name
        from tenancy.tenant_template_objects t
        where t.version = unextended_tables.version
            and t.object_kind = 'table'
            and not exists (
                select from pg_catalog.pg_attribute a
                where a.attrelid = tenancy.find_table(unextended_tables.schema_name, t.table_name)
                    and a.attname like 'x\_%'
                    and not a.attisdropped
            )
    );
$$;

comment on function tenancy.unextended_tables(text, text) is
    'Tables of the template at this version to which the tenant has added no column x_….';
