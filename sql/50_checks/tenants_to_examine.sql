-- A check of one tenant may read what tenants_like_template compares, the list of exposed schemas,
-- and what is the same for all tenants. tenants_to_examine has to know of anything else.
create function tenancy.tenants_to_examine(schema_names text[])
    returns setof text
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    language plpgsql
as $$
begin
    return query
    with alike as materialized (
        select a.schema_name, a.example from tenancy.tenants_like_template(schema_names) a
    ),
    sound as materialized (
        select e.example
        from (select distinct a.example from alike a) e
        where not exists (
            select from tenancy.tenant_findings(e.example) f where f.kind <> 'not listed'
        )
    )
    select n.schema_name
    from unnest(schema_names) n (schema_name)
    where n.schema_name <> all (tenancy.exposed_schemas())
        or n.schema_name not in (
            select a.schema_name from alike a join sound s on s.example = a.example
        );
end;
$$;

comment on function tenancy.tenants_to_examine(text[]) is
    'Those of the named tenants that may have a finding. tenant_findings has none for the others, because it has none for a tenant that equals them.';
