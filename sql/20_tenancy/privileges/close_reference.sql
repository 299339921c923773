create function tenancy.close_reference()
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    alter default privileges in schema tenant_template
        revoke select, insert, update, delete on tables from authenticated, service_role;
    alter default privileges in schema tenant_template
        revoke select, usage on sequences from authenticated, service_role;
    perform tenancy.apply_tenant_privileges('tenant_template');
end;
$$;

comment on function tenancy.close_reference() is
    'Takes back everything that open_reference has granted in the reference schema.';
