-- What a tenant migration grants, the reference schema has, too. Default privileges of the project
-- come by themselves. Whatever else a role of the project has, somebody has granted by hand.
create function tenancy.other_grants(schema_name text)
    returns setof tenancy.tenant_grant
    stable
    security invoker
    set search_path = ''
    set quote_all_identifiers = off
    -- Statistics of the catalog may be from a time with few tenants.
    set enable_seqscan = off
    set enable_hashjoin = off
    set enable_mergejoin = off
    set jit = off
    language plpgsql
as $$
begin
    return query
    with granted as (
        select p.object_kind, p.object_name, p.grantee, v.privilege
        from tenancy.schema_privileges(schema_name) p
        cross join string_to_table(p.privileges, ', ') v (privilege)
        where p.grantee not in ('PUBLIC', 'anon', 'authenticated', 'service_role')
            and p.grantee::regrole <> (
                select n.nspowner from pg_catalog.pg_namespace n where n.nspname = 'tenancy'
            )
    )
    select k.kind, k.target, g.grantee, null::text, string_agg(g.privilege, ', ' order by g.privilege)
    from granted g
    cross join lateral (
        select case when g.object_kind in ('schema', 'sequence', 'routine') then g.object_kind else 'table' end,
            case g.object_kind
                when 'schema' then quote_ident(g.object_name)
                when 'routine' then format(
                    '%I.%I%s', schema_name, split_part(g.object_name, '(', 1), substr(g.object_name, strpos(g.object_name, '('))
                )
                else format('%I.%I', schema_name, g.object_name)
            end
    ) k (kind, target)
    where not exists (
            select
            from tenancy.schema_privileges('tenant_template') t
            where t.object_kind = g.object_kind
                and g.object_name in (
                    replace(t.object_name, 'tenant_template.', quote_ident(schema_name) || '.'),
                    case when g.object_kind = 'schema' then schema_name end
                )
                and t.grantee = g.grantee
                and g.privilege = any (string_to_array(t.privileges, ', '))
        )
        and not exists (
            select
            from pg_catalog.pg_default_acl d
            cross join aclexplode(d.defaclacl) e
            where d.defaclnamespace = 0
                and e.grantee = g.grantee::regrole
                and d.defaclobjtype = case k.kind
                    when 'schema' then 'n' when 'table' then 'r' when 'sequence' then 'S' else 'f'
                end::"char"
                and lower(e.privilege_type) = g.privilege
        )
    group by k.kind, k.target, g.grantee;
end;
$$;

comment on function tenancy.other_grants(text) is
    'The privileges in a tenant of roles that are neither an API role nor the owner, unless a tenant migration or the project''s default privileges give them. No operation grants or revokes them.';
