create function tenancy.apply_tenant_migration(schema_name text, migration tenancy.tenant_migrations)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    -- For the statements alone; leaving this function puts the empty path back.
    perform set_config('search_path', format('%I, extensions, pg_temp', schema_name), true);
    execute migration.statements;
end;
$$;

comment on function tenancy.apply_tenant_migration(text, tenancy.tenant_migrations) is
    'Runs one tenant migration in one schema.';
