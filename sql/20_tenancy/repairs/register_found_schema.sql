create function tenancy.register_found_schema(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_objects constant tenancy.schema_object[] := array(
        select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o
    );
    v_tenant public.tenants;
begin
    insert into public.tenants
        (schema_name, display_name, status, suspended_at, suspension_reason, schema_version)
    values (
        schema_name, schema_name, 'suspended', now(), 'Found without a registry row by tenantry doctor.',
        tenancy.nearest_version(schema_name, v_objects)
    )
    returning * into v_tenant;

    perform tenancy.apply_tenant_privileges(schema_name);
    perform tenancy.log_action(
        'tenant.create', v_tenant, jsonb_build_object('after', to_jsonb(v_tenant), 'by', 'tenantry doctor')
    );
    perform tenancy.expose_schema(schema_name);
end;
$$;

comment on function tenancy.register_found_schema(text) is
    'Registers a schema that has the tables of a tenant as a suspended tenant, at the version that it differs least from.';
