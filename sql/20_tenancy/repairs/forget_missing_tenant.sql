create function tenancy.forget_missing_tenant(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    delete from public.tenants t
    where t.schema_name = forget_missing_tenant.schema_name
        and to_regnamespace(quote_ident(t.schema_name)) is null
    returning * into v_tenant;
    if v_tenant.id is null then
        return;
    end if;

    perform tenancy.log_action(
        'tenant.delete', v_tenant,
        jsonb_build_object(
            'before', to_jsonb(v_tenant), 'audit_log', tenancy.forget_audit_log(schema_name),
            'by', 'tenantry doctor'
        )
    );
end;
$$;

comment on function tenancy.forget_missing_tenant(text) is
    'Removes a tenant whose schema does not exist, with its grants and seals.';
