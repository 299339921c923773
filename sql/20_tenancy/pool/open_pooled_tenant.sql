-- Grants on tables, and not on the schema: a grant on a schema makes every session forget its plans,
-- and the next request of each is planned anew.
create function tenancy.open_pooled_tenant(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- Computing the privileges costs more than granting them.
    perform tenancy.run_creation_script(
        schema_name,
        (
            select s.grants
            from public.tenants t
            join tenancy.tenant_template_scripts s on s.version = t.schema_version
            where t.schema_name = open_pooled_tenant.schema_name
                and s.statements is not null
                and s.release = tenancy.release()
                and s.default_privileges = tenancy.default_privileges()
        )
    );
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        -- There is no script, or the tenant differs from it.
        perform tenancy.apply_tenant_privileges(schema_name);
end;
$$;

comment on function tenancy.open_pooled_tenant(text) is
    'Grants what a tenant in the pool lacks: everything but usage of the schema. Only in the transaction that makes the tenant active.';
