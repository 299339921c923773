-- Functions of the catalog ignore the snapshot of a query, so they fail, or find nothing, if an
-- object of the snapshot was dropped meanwhile. Volatile, so that each attempt has a new snapshot.
create function tenancy.lasting_drift(schema_name text)
    returns setof public.tenantry_schema_difference
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_differences public.tenantry_schema_difference[];
begin
    for v_left in reverse 2..0
    loop
        begin
            v_differences := array(
                select row(d.*)::public.tenantry_schema_difference from tenancy.tenant_drift(schema_name) d
            );
            exit;
        exception
            when deadlock_detected or lock_not_available then
                raise;
            when others then
                if v_left = 0 then
                    raise;
                end if;
        end;
    end loop;

    -- A tenant that was deleted meanwhile lacks all objects.
    return query
    select d.*
    from public.tenants t
    cross join unnest(v_differences) d
    where t.schema_name = lasting_drift.schema_name;
end;
$$;

comment on function tenancy.lasting_drift(text) is
    'The same as tenant_drift, also while other sessions drop objects of the tenant. Nothing if the tenant itself is deleted meanwhile.';
