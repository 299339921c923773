create function tenancy.register_tenant_index(version text, name text, statement text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.require_project_registration(version, statement);

    perform tenancy.add_tenant_migration(version, name, statement, phase => 'index');
end;
$$;

comment on function tenancy.register_tenant_index(text, text, text) is
    'Registers an index. `tenantry migrate` with the URL of the database builds it in a large table while the table is written; otherwise it is built within 5 seconds, in which nobody writes the table.';
