-- The tenant's own version decides. If only a later version has a table of this name, the
-- tenant may drop its own table. If only a later version drops the table, it stays protected.
create function tenancy.is_template_table(schema_name text, table_name text)
    returns boolean
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return exists (
        select
        from public.tenants t
        join tenancy.tenant_template_objects o
            on o.version = t.schema_version
            and o.object_kind = 'table'
            and o.object_name = is_template_table.table_name
        where t.schema_name = is_template_table.schema_name
    );
end;
$$;

comment on function tenancy.is_template_table(text, text) is
    'Whether a table of a tenant is part of the template at the tenant''s version, and not a table of the tenant''s own.';
