-- By the tenant's own version: what a later one brings is the tenant's to move out of the way,
-- and what a later one drops is still protected.
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
    'Whether a table of a tenant is one that its version of the template brings, rather than one that its admin made.';
