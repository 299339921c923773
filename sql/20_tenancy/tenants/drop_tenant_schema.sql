create function tenancy.drop_tenant_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- A listed but missing schema takes the whole Data API down. Notifications arrive in the
    -- order of their sending: PostgREST must read the shorter list before the reload that
    -- an event trigger sends for the drop.
    perform pg_notify('pgrst', 'reload config');
    execute format('drop schema %I cascade', schema_name);
    perform tenancy.unexpose_schema(schema_name);
end;
$$;

comment on function tenancy.drop_tenant_schema(text) is
    'Destroys a tenant''s schema with everything in it and takes it off the Data API. Only under lock_tenant.';
