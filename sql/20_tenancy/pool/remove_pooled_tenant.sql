-- One tenant in a call: dropping a schema needs many entries of PostgreSQL's lock table, and the
-- exposure lock, which is the last one, at its end.
create function tenancy.remove_pooled_tenant(candidates uuid[])
    returns text[]
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_tenant public.tenants;
begin
    -- A tenant that is being taken or migrated stays.
    select t.* into v_tenant
    from public.tenants t
    where t.id = any (candidates) and t.status = 'pooled'
    order by array_position(candidates, t.id)
    limit 1
    for update skip locked;
    if v_tenant.id is null then
        return array[]::text[];
    end if;

    delete from public.tenants t where t.id = v_tenant.id;
    if to_regnamespace(v_tenant.schema_name) is null then
        perform tenancy.unexpose_schema(v_tenant.schema_name);
    else
        perform tenancy.drop_tenant_schema(v_tenant.schema_name);
    end if;

    return array[v_tenant.schema_name];
end;
$$;

comment on function tenancy.remove_pooled_tenant(uuid[]) is
    'Drops the first of these tenants that is still in the pool and free, and returns its schema name (55P03).';
