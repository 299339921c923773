create function tenancy.drifting_tenants(schema_names text[])
    returns text[]
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    begin
        return array(
            with alike as materialized (
                select a.schema_name, a.example from tenancy.tenants_like_template(schema_names) a
            ),
            examples as materialized (
                select e.example, exists (select from tenancy.grant_differences(e.example))
                    or exists (select from tenancy.other_grants(e.example))
                    or exists (select from tenancy.wrong_owners(e.example)) as has_drift
                from (select distinct a.example from alike a) e
            )
            select n.schema_name
            from unnest(schema_names) n (schema_name)
            left join alike a on a.schema_name = n.schema_name
            left join examples e on e.example = a.example
            where case
                when e.example is null then exists (select from tenancy.tenant_drift(n.schema_name))
                else e.has_drift
                    or exists (select from tenancy.unfinished_migrations u where u.schema_name = n.schema_name)
            end
        );
    exception
        when deadlock_detected or lock_not_available then
            raise;
        -- One dropped object fails the comparison of all tenants: see lasting_drift.
        when others then
            null;
    end;

    return array(
        select n.schema_name
        from unnest(schema_names) n (schema_name)
        where exists (select from tenancy.lasting_drift(n.schema_name))
    );
end;
$$;

comment on function tenancy.drifting_tenants(text[]) is
    'Those of the named tenants that differ from the reference schema at their version. A tenant that is deleted meanwhile may be among them.';
