create function tenancy.check_exposed_schemas()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select
        case when n.oid is null then 'listed but missing' else 'private schema exposed' end,
        e.name,
        case
            when n.oid is null then format(
                'The Data API lists the schema %s, which does not exist. This makes the whole Data API fail.', e.name
            )
            else format('The Data API lists the schema %s, which no client may use.', e.name)
        end,
        'Remove the schema from the list: ' || r.statement,
        r.statement
    from unnest(tenancy.exposed_schemas()) e (name)
    left join pg_catalog.pg_namespace n on n.nspname = e.name
    cross join lateral format('select tenancy.unexpose_schema(%L);', e.name) r (statement)
    -- Other schemas are the project's own decision.
    where n.oid is null
        or e.name in ('tenancy', 'tenant_template', 'auth', 'vault', 'information_schema', 'pg_catalog')
    -- An outage of the Data API first.
    order by n.oid is not null, e.name;
$$;

comment on function tenancy.check_exposed_schemas() is
    'Check: schemas in the list of the Data API that do not exist, or that are private: those of Tenantry, of Auth, of Vault and of PostgreSQL itself.';
