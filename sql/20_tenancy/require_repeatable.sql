-- The reference schema alone does not show what a migration does a second time. What it makes
-- outside its schema it makes again in every tenant, and where that fails, no tenant could be
-- created from then on.
create function tenancy.require_repeatable(version text)
    returns void
    volatile
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_schema_name constant text := tenancy.opaque_schema_name();
    v_problem text;
begin
    begin
        insert into public.tenants (schema_name, display_name, schema_version)
        values (v_schema_name, v_schema_name, version);
        perform tenancy.build_tenant_schema(v_schema_name);

        select 'it would not be what the reference schema is: ' || string_agg(
            format('%s %s', coalesce(t.object_kind, r.object_kind), coalesce(t.object_name, r.object_name)), ', '
        )
        into v_problem
        from tenancy.schema_objects(v_schema_name) t
        full join tenancy.template_objects(v_schema_name, version) r
            on r.object_kind = t.object_kind and r.object_name = t.object_name
        where r.definition is distinct from t.definition;

        -- It was a rehearsal: the tenant goes, and with it the notice to PostgREST.
        raise sqlstate 'TN000';
    exception
        when others then
            if sqlstate <> 'TN000' then
                v_problem := sqlerrm;
            end if;
    end;

    if v_problem is not null then
        raise exception 'Tenant migration % lets no tenant be created: %.', version, left(v_problem, 1000)
            using hint = 'It ran in a second schema, as it will in each tenant, and was taken back. What is needed once belongs before it, in the file itself.';
    end if;
end;
$$;

comment on function tenancy.require_repeatable(text) is
    'Refuses a tenant migration after which no tenant could be created, or only one that is not what the reference schema is: creates one and takes it back.';
