create function tenancy.tenant_drift(schema_name text)
    returns setof public.tenantry_schema_difference
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
    language plpgsql
as $$
declare
    v_version constant text := (
        select t.schema_version from public.tenants t where t.schema_name = tenant_drift.schema_name
    );
begin
    return query
    select d.*
    from tenancy.schema_differences(
        schema_name,
        v_version,
        array(select row(o.*)::tenancy.schema_object from tenancy.schema_objects(schema_name) o)
    ) d
    union all
    select 'grant', format('on %s %s to %s', g.object_kind, g.object_name, g.grantee),
        case when g.found is null then 'missing' when g.expected is null then 'extra' else 'different' end,
        g.expected,
        g.found,
        null::text
    from tenancy.grant_differences(schema_name) g
    union all
    select 'grant', format('on %s %s to %s', g.object_kind, g.object_name, g.grantee), 'extra', g.expected, g.found, null::text
    from tenancy.other_grants(schema_name) g
    union all
    select 'owner', format('of %s %s', w.object_kind, w.object_name), 'different', w.expected, w.owner, null::text
    from tenancy.wrong_owners(schema_name) w
    union all
    select 'migration', u.version, 'missing', m.name,
        format('failed %s times since %s: %s (%s)', u.attempts, u.stuck_since, u.message, u.sqlstate),
        null::text
    from tenancy.unfinished_migrations u
    join tenancy.tenant_migrations m on m.version = u.version
    where u.schema_name = tenant_drift.schema_name;
end;
$$;

comment on function tenancy.tenant_drift(text) is
    'The differences between a tenant and the reference schema at its version: objects, owners, privileges, and the migration at which it is stuck. Without their repairs.';
