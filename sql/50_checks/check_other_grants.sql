create function tenancy.check_other_grants(schema_name text)
    returns setof tenancy.finding
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- In the reference schema they are what tenant migrations grant.
    if schema_name = 'tenant_template' then
        return;
    end if;

    return query
    select
        case when r.is_reached then 'grants around the layers' else 'warning: grants to another role' end,
        schema_name,
        format(
            'The role %s has privileges in tenant %s that no tenant migration grants: %s. %s',
            g.grantee, schema_name,
            string_agg(format('%s on %s %s', g.found, g.object_kind, g.object_name), '; ' order by g.object_kind, g.object_name),
            case
                when r.is_reached then 'Requests to the Data API can act as this role.'
                else 'A suspension does not take them away.'
            end
        ),
        case
            when r.is_reached then ''
            else 'If the role should have them in every tenant, grant them in a tenant migration. Otherwise: '
        end || string_agg(s.statement, ' ' order by g.object_kind, g.object_name),
        case when r.is_reached then string_agg(s.statement, ' ' order by g.object_kind, g.object_name) end
    from tenancy.other_grants(schema_name) g
    cross join lateral format('revoke %s on %s %s from %s;', g.found, g.object_kind, g.object_name, g.grantee) s (statement)
    cross join lateral pg_has_role('authenticator', g.grantee::regrole, 'member') r (is_reached)
    group by g.grantee, r.is_reached
    order by g.grantee;
end;
$$;

comment on function tenancy.check_other_grants(text) is
    'Check: privileges in a tenant of roles that are no API roles, unless a tenant migration grants them.';
