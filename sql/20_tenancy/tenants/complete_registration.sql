create function tenancy.complete_registration(tenant public.tenants, details jsonb)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    perform tenancy.apply_tenant_privileges(tenant.schema_name);
    perform tenancy.log_action(
        'tenant.create', tenant,
        jsonb_build_object('after', to_jsonb(tenant)) || details
    );
    perform tenancy.expose_schema(tenant.schema_name);
end;
$$;

comment on function tenancy.complete_registration(public.tenants, jsonb) is
    'Completes the registration of an existing schema, whose registry row this transaction has inserted: sets the privileges, logs tenant.create with these details, and exposes the schema (55P03).';
