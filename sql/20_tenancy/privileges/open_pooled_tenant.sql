-- apply_tenant_privileges would compute every privilege of the tenant again.
create function tenancy.open_pooled_tenant(schema_name text)
    returns void
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    execute format('grant usage on schema %I to authenticated, service_role', schema_name);
end;
$$;

comment on function tenancy.open_pooled_tenant(text) is
    'Grants the only privilege that a tenant in the pool lacks. Only in the transaction that makes the tenant active.';
