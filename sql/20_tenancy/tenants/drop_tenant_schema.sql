create function tenancy.drop_tenant_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.lock_shared_tables(schema_name, 'access exclusive');
    -- One listed but missing schema stops the whole Data API, so PostgREST has to read the
    -- shorter list before it reloads the tables. Notifications arrive in the order in which
    -- they are sent, and an event trigger sends the reload of the tables on the drop.
    perform pg_notify('pgrst', 'reload config');
    execute format('drop schema %I cascade', schema_name);
    perform tenancy.unexpose_schema(schema_name);
end;
$$;

comment on function tenancy.drop_tenant_schema(text) is
    'Destroys a tenant''s schema with everything in it, and removes it from the Data API. Only under lock_tenant (55P03).';
