create function tenancy.schema_findings()
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select * from tenancy.check_views()
    union all
    select * from tenancy.check_publications()
    union all
    select * from tenancy.check_foreign_keys()
    union all
    select * from tenancy.check_default_privileges();
$$;

comment on function tenancy.schema_findings() is
    'The findings of the doctor that begin when a schema becomes a tenant.';
