create function public.get_schema_drift(schema_name text)
    returns setof public.schema_difference
    stable
    security definer
    set search_path = ''
    language plpgsql
as $$
declare
    v_version text;
begin
    perform tenancy.require_permission(schema_name, platform => 'admin', member => null);

    select t.schema_version into v_version
    from public.tenants t
    where t.schema_name = get_schema_drift.schema_name;

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
        g.found
    from tenancy.grant_differences(schema_name) g
    order by 1, 2;
exception
    when deadlock_detected or lock_not_available or query_canceled then
        perform tenancy.raise_busy();
end;
$$;

comment on function public.get_schema_drift(text) is
    'In what a tenant differs from the reference schema at its version: tables, columns, constraints, indexes, policies, triggers, routines, types, and grants. Its own tables and columns x_… are no difference, their grants are looked at too. Empty if all is well. Platform admins. Errors: tenant_not_found, forbidden, not_authenticated, busy.';
