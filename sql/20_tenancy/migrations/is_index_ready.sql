create function tenancy.is_index_ready(schema_name text, migration tenancy.tenant_migrations)
    returns boolean
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_index constant pg_catalog.pg_index := tenancy.find_index(schema_name, tenancy.index_name(migration));
begin
    -- In the reference schema nobody builds one: there the name is taken.
    if v_index.indexrelid is null or schema_name = 'tenant_template' then
        return false;
    end if;
    -- An interrupted CREATE INDEX CONCURRENTLY has left it, or an earlier text.
    if not tenancy.is_index_as_registered(schema_name, migration, v_index) then
        execute format('drop index %s', v_index.indexrelid::regclass);
        return false;
    end if;

    return true;
end;
$$;

comment on function tenancy.is_index_ready(text, tenancy.tenant_migrations) is
    'Whether `tenantry migrate` has built a registered index in this schema already. Drops an invalid or another one of its name on a table of the template. require_template compares the index with the reference schema.';
