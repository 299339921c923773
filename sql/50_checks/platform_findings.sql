-- The order is the order of repairs: an outage of the Data API, the guard, the registry, and then
-- access that is too wide.
create function tenancy.platform_findings()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    set timezone = 'UTC'
    set datestyle = 'ISO, MDY'
    set intervalstyle = 'postgres'
    set extra_float_digits = 1
    set bytea_output = 'hex'
    set lc_monetary = 'C'
    set quote_all_identifiers = off
    language sql
as $$
    select * from tenancy.check_exposed_schemas()
    union all
    select * from tenancy.check_guard()
    union all
    select * from tenancy.check_api_roles()
    union all
    select * from tenancy.check_registry()
    union all
    select * from tenancy.check_registry_access()
    union all
    select * from tenancy.check_registry_triggers()
    union all
    select * from tenancy.check_roles()
    union all
    select * from tenancy.check_rpc_grants()
    union all
    select * from tenancy.check_helper_grants()
    union all
    select * from tenancy.check_views()
    union all
    select * from tenancy.check_routines_around()
    union all
    select * from tenancy.check_publications()
    union all
    select * from tenancy.check_foreign_keys()
    union all
    select * from tenancy.check_shared_tables()
    union all
    select * from tenancy.check_template_references()
    union all
    select * from tenancy.check_default_privileges()
    union all
    select * from tenancy.check_cancelling()
    union all
    select * from tenancy.check_cache_load()
    union all
    select * from tenancy.check_catalog_statistics()
    union all
    select * from tenancy.check_dump_locks()
    union all
    select * from tenancy.check_pool()
    union all
    select * from tenancy.check_stuck_tenants()
    union all
    select * from tenancy.check_tenants_behind()
    union all
    select * from tenancy.check_creation_script();
$$;

comment on function tenancy.platform_findings() is
    'What is wrong outside the tenants'' schemas, or between them: the results of the other checks.';
