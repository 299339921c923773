-- All schemas of a call are exposed in one step at the end, because the exposure lock is the last
-- one. The call is short, because it keeps writers of shared tables waiting and needs some
-- hundred entries of PostgreSQL's lock table.
create function tenancy.fill_pool(at_most integer)
    returns text[]
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_until constant timestamptz := clock_timestamp() + interval '250 milliseconds';
    v_version constant text := tenancy.lock_latest_version();
    v_name text;
    v_made text[] := array[]::text[];
begin
    perform tenancy.refresh_catalog_statistics();
    while cardinality(v_made) < least(at_most, 10) and clock_timestamp() < v_until loop
        v_name := tenancy.opaque_schema_name();
        insert into public.tenants (schema_name, display_name, status, schema_version)
        values (v_name, v_name, 'pooled', v_version);
        perform tenancy.make_tenant_schema(v_name);
        v_made := v_made || v_name;
    end loop;

    perform tenancy.lock_exposure();
    perform tenancy.set_exposed_schemas(tenancy.exposed_schemas() || v_made);

    return v_made;
end;
$$;

comment on function tenancy.fill_pool(integer) is
    'Makes tenants for the pool, at least one and as many as fit 250 ms, and returns their schema names (PT409 template_broken, 55P03).';
