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
    -- An interrupted CREATE INDEX CONCURRENTLY has left it.
    if not v_index.indisvalid then
        execute format('drop index %s', v_index.indexrelid::regclass);
    end if;

    return coalesce(v_index.indisvalid, false);
end;
$$;

comment on function tenancy.is_index_ready(text, tenancy.tenant_migrations) is
    'Whether `tenantry migrate` has built a registered index in this schema already. Drops an invalid one of its name. require_template compares the index with the reference schema.';
